import { randomUUID } from 'node:crypto';

import { failedPrecondition, hasCode } from '../../../src/base/errors.js';
import { BUSYBOX, IDLE } from '../../harness/pods.js';
import { waitFor } from '../../harness/wait.js';
import type { ApiClient } from './api-client.js';

const PODS = '/api/v1/namespaces/default/pods';

/** A node of a cluster, by its name and the cluster's API server. */
export interface NodeOfCluster {
  readonly name: string;
  readonly api: ApiClient;
}

/** Quantities by resource: `{ cpu: '100m' }`. */
export type Quantities = Readonly<Record<string, string>>;

export interface Resources {
  readonly requests?: Quantities;
  readonly limits?: Quantities;
}

interface StateOfContainer {
  readonly terminated?: { readonly exitCode: number; readonly reason: string; readonly message?: string };
}

/** The part of a container's status that the tests look at. */
export interface ContainerState {
  readonly name: string;
  /** `gantry://<id>` */
  readonly containerID: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: StateOfContainer;
  readonly lastState?: StateOfContainer;
  readonly resources?: Resources;
  readonly allocatedResources?: Quantities;
}

/** The part of a pod that the tests look at. */
export interface PodObject {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number };
  readonly status: {
    readonly phase: string;
    readonly observedGeneration?: number;
    readonly qosClass?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerState[];
  };
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** Creates a pod on the node and returns its name; `container` comes over one that idles, `spec` over the pod's. */
export async function createPod(
  { api, name: nodeName }: NodeOfCluster,
  container: object,
  spec: object = {},
): Promise<string> {
  const name = `pod-${randomUUID().slice(0, 8)}`;
  const containers = [{ name: 'main', image: BUSYBOX, command: IDLE, imagePullPolicy: 'IfNotPresent', ...container }];
  const usual = {
    ...{ nodeName, containers, automountServiceAccountToken: false, terminationGracePeriodSeconds: 10 },
    // There is no DNS of a cluster's.
    dnsPolicy: 'Default',
  };
  await api.create(PODS, { metadata: { name }, spec: { ...usual, ...spec } });
  return name;
}

export async function getPod({ api }: NodeOfCluster, name: string): Promise<PodObject> {
  return (await api.get(`${PODS}/${name}`)) as PodObject;
}

/** The pod as it is as soon as `test` holds of it; the error has the last status that was seen. */
export function waitForPod(node: NodeOfCluster, name: string, wanted: Wanted): Promise<PodObject> {
  return waitFor(`pod ${name} that ${wanted.what}`, wanted.usualMs ?? 60_000, async () => {
    const pod = await getPod(node, name);
    if (!wanted.test(pod)) throw failedPrecondition(JSON.stringify(pod.status));
    return pod;
  });
}

export interface Wanted {
  readonly what: string;
  readonly usualMs?: number;
  test(pod: PodObject): boolean;
}

export const RUNNING: Wanted = {
  what: 'runs',
  test: ({ status }) => status.containerStatuses?.every(({ ready }) => ready) ?? false,
};

/** Asks for other resources of a pod's container while it runs. */
export async function resize({ api }: NodeOfCluster, name: string, resources: Resources): Promise<void> {
  await api.patch(`${PODS}/${name}/resize`, { spec: { containers: [{ name: 'main', resources }] } });
}

/** Deletes all pods and waits until kubelet has let go of them. */
export async function deletePods({ api }: NodeOfCluster): Promise<void> {
  const { items } = (await api.get(PODS)) as { items: readonly PodObject[] };
  await Promise.all(items.map(({ metadata }) => deletePod(api, metadata.name)));
}

async function deletePod(api: ApiClient, name: string): Promise<void> {
  await api.delete(`${PODS}/${name}`);
  await waitFor(`end of pod ${name}`, 60_000, async () => {
    const found = await api.get(`${PODS}/${name}`).catch((error: unknown) => error);
    return hasCode(found, 'not-found') ? true : undefined;
  });
}
