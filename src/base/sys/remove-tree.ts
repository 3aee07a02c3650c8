import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';

import { errnoOf } from '../errors.js';

/** Far enough below PATH_MAX for any name to be added. */
const DEEP = 3_000;

/**
 * Removes a file or tree, however deep: a container can nest directories beyond the longest path that the kernel takes.
 * Nothing there is fine. Blocks for as long as it takes.
 */
export function removeTreeSync(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (errnoOf(error) !== 'ENAMETOOLONG') throw error;
    removeDeep(Buffer.from(path));
  }
}

/** What lies too deep is moved up, to the top of the tree, and removed from there. */
function removeDeep(top: Buffer): void {
  while (readdirSync(top).length > 0) removeContent(top, top);
  rmdirSync(top);
}

function removeContent(directory: Buffer, top: Buffer): void {
  for (const entry of readdirSync(directory, { encoding: 'buffer', withFileTypes: true })) {
    const path = below(directory, entry.name);
    if (!entry.isDirectory()) unlinkSync(path);
    else if (path.length > DEEP) renameSync(path, below(top, Buffer.from(`.deep-${randomBytes(8).toString('hex')}`)));
    else {
      removeContent(path, top);
      rmdirSync(path);
    }
  }
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
