import { compareTimes } from '../../base/clock.js';
import type { Container, ContainerStore } from './store.js';

type Containers = Pick<ContainerStore, 'list'>;

/** The containers of a sandbox, in no order. */
export function containersOf(store: Containers, sandboxId: string): Container[] {
  return store.list().filter(({ record }) => record.sandboxId === sandboxId);
}

/**
 * The same, the newest first: clients take the first of a name for its latest attempt (kubelet with EventedPLEG), whatever
 * order the store has them in.
 */
export function newestContainersOf(store: Containers, sandboxId: string): Container[] {
  return containersOf(store, sandboxId).sort((a, b) => compareTimes(b.record.createdAt, a.record.createdAt));
}
