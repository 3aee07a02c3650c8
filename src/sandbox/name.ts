import type { SandboxMetadata } from './types.js';

/** The name that only one sandbox may have at a time, as the peers build it. */
export function sandboxName({ name, namespace, uid, attempt }: SandboxMetadata): string {
  return [name, namespace, uid, attempt].join('_');
}
