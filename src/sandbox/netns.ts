import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ensureDirectory } from '../base/files.js';
import { createNetns, unmount } from '../base/sys/sys.js';

/** Where a sandbox's network namespace is pinned: a name like the peers', known before anything is made. */
export function netnsPathOf(dir: string, sandboxId: string): string {
  const hex = createHash('sha256').update(sandboxId).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
  return join(dir, `cni-${uuid}`);
}

export async function makeNetns(path: string): Promise<void> {
  await ensureDirectory(join(path, '..'), 0o755);
  await writeFile(path, '', { mode: 0o444, flag: 'wx' });
  await createNetns(path);
}

/** Lets go of a namespace; the kernel ends it with its last process. Gone already is fine. */
export async function dropNetns(path: string): Promise<void> {
  await unmount(path, { detach: true });
  await rm(path, { force: true });
}
