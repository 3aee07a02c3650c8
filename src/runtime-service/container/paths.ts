import { join } from 'node:path';

/** Everything volatile of a container below `<state>/containers/<id>`, which is its OCI bundle. */
export interface ContainerPaths {
  readonly bundle: string;
  readonly rootfs: string;
  /** The `process` of its OCI configuration. */
  readonly process: string;
  /** Mount points of the images that are its volumes. */
  readonly volumes: string;
}

export function containerPaths(stateDir: string, id: string): ContainerPaths {
  const bundle = join(stateDir, 'containers', id);
  const below = (name: string): string => join(bundle, name);
  return { bundle, rootfs: below('rootfs'), process: below('process.json'), volumes: below('volumes') };
}
