import { delimited } from '../base/delimited.js';
import { invalidArgument } from '../base/errors.js';
import type { PodNetworkRequest } from './pod-request.js';

/**
 * CNI_ARGS of a pod, with the keys that network plugins for Kubernetes read. `IgnoreUnknown` comes first so that
 * plugins that know none of them accept the rest.
 * @throws invalid-argument for a value that would read as another pair.
 */
export function cniArgs(pod: PodNetworkRequest): string {
  const pairs = {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: pod.namespace,
    K8S_POD_NAME: pod.name,
    K8S_POD_INFRA_CONTAINER_ID: pod.sandboxId,
    K8S_POD_UID: pod.uid,
  };
  const parts = Object.entries(pairs).map(([key, value]) => `${key}=${checked(key, value)}`);
  return delimited(';', parts, 'CNI_ARGS');
}

/** Plugins split at ";" and then at "=", without any way to quote; NUL would cut the environment. */
function checked(key: string, value: string): string {
  if (/[;=\0]/.test(value))
    throw invalidArgument(`${key} ${JSON.stringify(value)} has ";", "=" or NUL, which CNI_ARGS cannot carry`);
  return value;
}
