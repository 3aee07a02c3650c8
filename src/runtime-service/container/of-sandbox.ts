import type { Container, ContainerStore } from './store.js';

/**
 * The containers of a sandbox, the newest first: clients take the first of a name for its latest attempt (kubelet with
 * EventedPLEG), whatever order the store has them in.
 */
export function containersOf(store: Pick<ContainerStore, 'list'>, sandboxId: string): Container[] {
  const own = store.list().filter(({ record }) => record.sandboxId === sandboxId);
  return own.sort((a, b) => (BigInt(a.record.createdAt) < BigInt(b.record.createdAt) ? 1 : -1));
}
