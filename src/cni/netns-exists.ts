import { statfs } from 'node:fs/promises';

/** File systems whose files can be a network namespace: nsfs, and proc where links of /proc/<pid>/ns are shown. */
const NAMESPACE_FILESYSTEMS = [0x6e736673, 0x9fa0];

/**
 * True if a path still leads to a namespace. A pin whose mount is gone leaves an empty file behind, which plugins
 * refuse; at DEL it counts as gone.
 */
export async function netnsExists(path: string): Promise<boolean> {
  if (path === '') return false;
  try {
    return NAMESPACE_FILESYSTEMS.includes((await statfs(path)).type);
  } catch {
    return false;
  }
}
