import { buffer } from 'node:stream/consumers';

import { pack, type Header } from 'tar-stream';

import { directory, type Entry } from './entries.js';

export interface TarOptions {
  /** Leave out the parent directories that are not listed: whoever unpacks has to make them up. */
  readonly bare?: boolean;
}

/**
 * Packs entries into a tar archive, adding the parent directories that are not listed. The same entries give the
 * same bytes: every time stamp is the epoch.
 */
export async function tar(entries: readonly Entry[], { bare = false }: TarOptions = {}): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  for (const entry of bare ? entries : withParents(entries)) {
    if (entry.type === 'file') archive.entry(header(entry), entry.data);
    else archive.entry(header(entry));
  }
  archive.finalize();
  return bytes;
}

const TAR_TYPES = { file: 'file', directory: 'directory', symlink: 'symlink', hardlink: 'link' } as const;

function header(entry: Entry): Partial<Header> & { name: string } {
  const common = { name: entry.path, mtime: new Date(0), type: TAR_TYPES[entry.type] };
  if ('target' in entry) return { ...common, mode: 0o777, size: 0, linkname: entry.target };
  const owned = { ...common, mode: entry.mode, uid: entry.uid, gid: entry.gid };
  return entry.type === 'file' ? { ...owned, size: entry.data.length } : { ...owned, size: 0, name: `${entry.path}/` };
}

function* withParents(entries: readonly Entry[]): Generator<Entry> {
  const seen = new Set(entries.filter((entry) => entry.type === 'directory').map((entry) => entry.path));
  const written = new Set<string>();
  for (const entry of entries) {
    for (const parent of parentsOf(entry.path)) {
      if (seen.has(parent) || written.has(parent)) continue;
      written.add(parent);
      yield directory(parent);
    }
    yield entry;
  }
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
