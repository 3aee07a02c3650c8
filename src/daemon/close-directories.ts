import { join } from 'node:path';

import { closeDirectory } from '../base/files.js';
import type { Config } from '../config/config.js';
import { closePodDirectories } from '../sandbox/files.js';
import type { Pods } from './pods.js';

/** What the rooms keep below `root`. The directory itself may be there before us, with a mode that somebody chose. */
const OF_ROOT = ['images', 'containers', 'sandboxes', 'cni', 'quarantine', 'probe'] as const;

/**
 * Closes to others what an older version left open on the way to containers' files. Before the first request, and before
 * anything is recovered.
 */
export async function closeDirectories({ root, state }: Pick<Config, 'root' | 'state'>, pods: Pods): Promise<void> {
  for (const name of OF_ROOT) await closeDirectory(join(root, name));
  await closePodDirectories(
    state,
    pods.sandboxes.store.list().map(({ record }) => record),
  );
}
