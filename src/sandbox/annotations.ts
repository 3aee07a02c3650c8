import type { SandboxRecord } from './types.js';

/** What a runtime is told of a pod, by the names that those know which look (Kata's, gVisor's). */
export function podFacts({ id, config: { metadata } }: SandboxRecord, type: 'sandbox' | 'container') {
  return {
    'io.kubernetes.cri.container-type': type,
    'io.kubernetes.cri.sandbox-id': id,
    'io.kubernetes.cri.sandbox-name': metadata.name,
    'io.kubernetes.cri.sandbox-namespace': metadata.namespace,
    'io.kubernetes.cri.sandbox-uid': metadata.uid,
  };
}
