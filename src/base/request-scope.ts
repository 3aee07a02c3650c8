import { AsyncLocalStorage } from 'node:async_hooks';

/** What every log line of a request carries, however deep in the rooms it is written: ids by name. */
export type RequestScope = Readonly<Record<string, string>>;

const scopes = new AsyncLocalStorage<RequestScope>();

/** Runs `work`, and all that it starts, in the scope of a request. */
export function inRequest<T>(scope: RequestScope, work: () => T): T {
  return scopes.run(scope, work);
}

/** Runs `work` in no request's scope: what outlives the request that started it. */
export function outsideRequests<T>(work: () => T): T {
  return scopes.exit(work);
}

export function requestScope(): RequestScope | undefined {
  return scopes.getStore();
}
