/** What one layer adds at one path. Paths are relative to the root, without a leading slash. */
export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry;

interface Owned {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface FileEntry extends Owned {
  readonly type: 'file';
  readonly data: Buffer;
}

export interface DirectoryEntry extends Owned {
  readonly type: 'directory';
}

export interface SymlinkEntry {
  readonly type: 'symlink';
  readonly path: string;
  readonly target: string;
}

export interface HardlinkEntry {
  readonly type: 'hardlink';
  readonly path: string;
  readonly target: string;
}

export interface Ownership {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export function file(path: string, data: Buffer | string, ownership: Ownership = {}): FileEntry {
  return { type: 'file', path, data: Buffer.from(data), mode: 0o644, uid: 0, gid: 0, ...ownership };
}

export function directory(path: string, ownership: Ownership = {}): DirectoryEntry {
  return { type: 'directory', path, mode: 0o755, uid: 0, gid: 0, ...ownership };
}

export function symlink(path: string, target: string): SymlinkEntry {
  return { type: 'symlink', path, target };
}

export function hardlink(path: string, target: string): HardlinkEntry {
  return { type: 'hardlink', path, target };
}

/** Removes a path of the layers below (OCI image-spec, layer.md: "Whiteouts"). */
export function whiteout(path: string): FileEntry {
  const cut = path.lastIndexOf('/') + 1;
  return file(`${path.slice(0, cut)}.wh.${path.slice(cut)}`, '');
}

/** Hides all that the layers below have in a directory (OCI image-spec, layer.md: "Opaque Whiteout"). */
export function opaqueWhiteout(path: string): FileEntry {
  return file(`${path}/.wh..wh..opq`, '');
}
