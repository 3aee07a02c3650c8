import { join } from 'node:path';

import type { ContainerRecord } from './types.js';

/** Everything volatile of a container below `containers/<id>` of the state that it was made in, which is its OCI bundle. */
export interface ContainerPaths {
  readonly bundle: string;
  readonly rootfs: string;
  /** The `process` of its OCI configuration. */
  readonly process: string;
  /** Mount points of the images that are its volumes. */
  readonly volumes: string;
}

/** @param context says where those are whose record does not. */
export function containerPaths(
  context: { readonly stateDir: string },
  { id, stateDir = context.stateDir }: Pick<ContainerRecord, 'id' | 'stateDir'>,
): ContainerPaths {
  const bundle = join(stateDir, 'containers', id);
  const below = (name: string): string => join(bundle, name);
  return { bundle, rootfs: below('rootfs'), process: below('process.json'), volumes: below('volumes') };
}
