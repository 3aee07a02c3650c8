import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { waitFor } from '../harness/wait.js';
import { openNode, type Node } from './harness/node.js';
import { createPod, waitForPod, type PodObject } from './harness/pods.js';

const RESTARTS = 5;
const BY_EVENTS = 'Evented PLEG: requested pod relist after container termination';

/** Before its first look at the pods; and where two of its threads remove an old container, one comes too late. */
const OF_ANY_KUBELET = [
  /pleg has yet to be successful/,
  /ContainerStatus from runtime service failed.*code = NotFound/,
];

describe('kubelet with the feature gate EventedPLEG', () => {
  let node: Node;
  let pod: PodObject;
  beforeAll(async () => {
    const crashLoopBackOff = { maxContainerRestartPeriod: '1s' };
    node = await openNode({ featureGates: { EventedPLEG: true }, crashLoopBackOff });
  });
  afterAll(() => node.close());

  it(`restarts a container that crashes, ${RESTARTS} times`, async () => {
    const name = await createPod(node, { command: ['sh', '-c', 'exit 3'] });
    pod = await waitForPod(node, name, {
      what: `was restarted ${RESTARTS} times`,
      usualMs: 110_000,
      test: ({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) >= RESTARTS,
    });
    expect(pod.status.containerStatuses).toMatchObject([
      { lastState: { terminated: { exitCode: 3, reason: 'Error' } } },
    ]);
  });

  it('hears of each end by the stream of events, which never broke', async () => {
    await waitFor('word of each end', 10_000, async () => {
      const heard = (await node.kubelet.lines(BY_EVENTS)).filter((line) => line.includes(pod.metadata.uid));
      return heard.length >= RESTARTS ? true : undefined;
    });
    expect(await node.kubelet.metric('kubelet_evented_pleg_connection_success_count')).toBe(1);
    expect(await node.kubelet.metric('kubelet_evented_pleg_connection_error_count')).toBe(0);
  });

  it('has no trouble with PLEG, calls or names in use', async () => {
    const errors = await node.kubelet.errors(/PLEG|service failed|rpc error|reserved|in use/i);
    expect(errors.filter((line) => !OF_ANY_KUBELET.some((usual) => usual.test(line)))).toEqual([]);
  });
});
