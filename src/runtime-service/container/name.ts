import type { SandboxMetadata } from '../../sandbox/types.js';
import type { ContainerConfig } from './types.js';

/** The name that only one container may have at a time, as the peers build it. */
export function containerName({ name, attempt }: ContainerConfig['metadata'], pod: SandboxMetadata): string {
  return [name, pod.name, pod.namespace, pod.uid, attempt].join('_');
}
