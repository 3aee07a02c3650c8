import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { openNode, type Node } from './harness/node.js';
import { createPod, waitForPod } from './harness/pods.js';

/** What is asked of the container, and what its end names of that. */
const CONTAINERS: readonly (readonly [what: string, container: object, named: string])[] = [
  ['a program that is missing', { command: ['/no/such'] }, '/no/such'],
  ['a program that is none', { command: ['/etc/passwd'] }, '/etc/passwd'],
  ['a directory that is a file', { workingDir: '/etc/passwd' }, '/etc/passwd'],
];

describe('kubelet with containers that cannot be started', () => {
  let node: Node;
  beforeAll(async () => {
    node = await openNode({ crashLoopBackOff: { maxContainerRestartPeriod: '1s' } });
  });
  afterAll(() => node.close());

  it.each(CONTAINERS)('has their pod failed if it is never restarted: %s', async (_, container, named) => {
    const name = await createPod(node, container, { restartPolicy: 'Never' });
    const failed = {
      what: 'has failed',
      test: ({ status }: { status: { phase: string } }) => status.phase === 'Failed',
    };
    const { status } = await waitForPod(node, name, failed);
    expect(status.containerStatuses).toMatchObject([
      { restartCount: 0, state: { terminated: { exitCode: 128, reason: 'StartError' } } },
    ]);
    expect(status.containerStatuses?.[0]?.state.terminated?.message).toContain(named);
  });

  it('restarts them where the pod asks for it', async () => {
    const name = await createPod(node, { command: ['/no/such'] }, { restartPolicy: 'OnFailure' });
    const { status } = await waitForPod(node, name, {
      what: 'was restarted',
      test: (pod) => (pod.status.containerStatuses?.[0]?.restartCount ?? 0) >= 2,
    });
    expect(status.containerStatuses).toMatchObject([{ lastState: { terminated: { reason: 'StartError' } } }]);
  });
});
