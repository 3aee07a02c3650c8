import { failedPrecondition } from '../base/errors.js';
import type { SandboxContext } from './context.js';
import { moveSandbox } from './state.js';
import type { Sandbox } from './store.js';
import type { PodResources } from './types.js';

/** What is in force: what was last set, over what the sandbox was made with. */
export function podResourcesOf({ record, status }: Sandbox): PodResources {
  const { overhead, resources } = record.config;
  const made = { ...(overhead && { overhead }), ...(resources && { resources }) };
  return status.state === 'ready' ? { ...made, ...status.resources } : made;
}

/**
 * Keeps what kubelet has made the limits of a pod (CRI UpdatePodSandboxResources); what the request leaves out stays.
 * The pod's cgroup is kubelet's, which has changed it already.
 * @throws not-found; failed-precondition for a sandbox that is not ready.
 */
export async function updatePodResources(
  { store, locks }: SandboxContext,
  idOrPrefix: string,
  change: PodResources,
): Promise<void> {
  const { id } = store.find(idOrPrefix).record;
  await locks.run(id, () =>
    store.update(id, (now) => {
      if (now.state === 'ready') return moveSandbox(now, { ...now, resources: { ...now.resources, ...change } });
      throw failedPrecondition(`sandbox "${id}" is ${now.state}: its resources cannot be changed`);
    }),
  );
}
