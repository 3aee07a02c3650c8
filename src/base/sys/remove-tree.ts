import { randomBytes } from 'node:crypto';
import { lstatSync, opendirSync, renameSync, rmdirSync, unlinkSync, type Dirent } from 'node:fs';

/** Far below PATH_MAX: a path is walked anew for each file, so what lies deep would take ever longer. */
const DEEP = 1_000;
/** Names in memory at a time, on each level; a directory may have millions. */
const BATCH = 1_000;

/**
 * Removes a file or tree, however deep and wide: a container can nest directories beyond the longest path that the kernel takes.
 * Nothing there is fine. Blocks for as long as it takes.
 */
export function removeTreeSync(path: string | Buffer): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    unlinkSync(path);
    return;
  }
  const top = Buffer.from(path as string);
  removeContent(top, top);
  rmdirSync(top);
}

/** What lies too deep is moved up, to the top of the tree, and removed from there. */
function removeContent(directory: Buffer, top: Buffer): void {
  let isMore = true;
  while (isMore) {
    const batch = entriesOf(directory);
    for (const entry of batch) removeEntry(directory, entry, top);
    isMore = batch.length === BATCH || (directory === top && batch.length > 0);
  }
}

function removeEntry(directory: Buffer, entry: Dirent, top: Buffer): void {
  const path = below(directory, Buffer.from(entry.name, 'latin1'));
  if (!entry.isDirectory()) unlinkSync(path);
  else if (path.length - top.length > DEEP)
    renameSync(path, below(top, Buffer.from(`.deep-${randomBytes(8).toString('hex')}`)));
  else {
    removeContent(path, top);
    rmdirSync(path);
  }
}

/** Some of a directory's entries, whose names are binary strings; none if it is empty. */
function entriesOf(directory: Buffer): Dirent[] {
  const opened = opendirSync(directory, { encoding: 'latin1', bufferSize: 128 });
  try {
    const found: Dirent[] = [];
    for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
      found.push(entry);
      if (found.length === BATCH) break;
    }
    return found;
  } finally {
    opened.closeSync();
  }
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
