import { failedPrecondition, hasCode } from '../../base/errors.js';
import type { ObjectRecord, ObjectStore, Stored } from '../../base/object-store.js';
import type { ContainerContext } from '../container/context.js';
import type { Container } from '../container/store.js';

/** The object of an id or a unique prefix; undefined where CRI wants an unknown one to be fine (stop, remove). */
export function lookup<R extends ObjectRecord, S extends object>(
  store: ObjectStore<R, S>,
  id: string,
): Stored<R, S> | undefined {
  try {
    return store.find(id);
  } catch (error) {
    if (hasCode(error, 'not-found')) return undefined;
    throw error;
  }
}

/** @throws not-found; failed-precondition for a container that does not run */
export function findRunning({ store }: ContainerContext, id: string): Container {
  const container = store.find(id);
  const { record, status } = container;
  if (status.state === 'running') return container;
  throw failedPrecondition(`container "${record.id}" does not run: it is ${status.state}`);
}

/** The verbose part of a status answer, under the key that crictl and scripts on the peers look for. */
export function verboseInfo(info: Readonly<Record<string, unknown>>): Record<string, string> {
  return { info: JSON.stringify(info) };
}
