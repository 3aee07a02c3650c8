import { join } from 'node:path';

/** Everything volatile of a container below `<state>/containers/<id>`, which is its OCI bundle. */
export interface ContainerPaths {
  readonly bundle: string;
  readonly rootfs: string;
  /** Mount points of the images that are its volumes. */
  readonly volumes: string;
}

export function containerPaths(stateDir: string, id: string): ContainerPaths {
  const bundle = join(stateDir, 'containers', id);
  return { bundle, rootfs: join(bundle, 'rootfs'), volumes: join(bundle, 'volumes') };
}
