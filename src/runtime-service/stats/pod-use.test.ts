import { beforeEach, describe, expect, it } from '@jest/globals';

import { identityOf, useScratch } from '../../base/testing.js';
import type { StatsContext } from './context.js';
import { podUse } from './pod-use.js';
import { addContainer, addSandbox, openStatsFixture } from './testing.js';

const scratch = useScratch('pod-use');

describe('podUse', () => {
  let context: StatsContext;
  beforeEach(async () => {
    context = await openStatsFixture(scratch);
  });

  it('adds up the containers of a pod without a cgroup of its own', async () => {
    const sandbox = await addSandbox(context, { pause: identityOf(process.pid) });
    const { id } = sandbox.record;
    for (const state of ['created', 'running', 'exited', 'removing'] as const)
      await addContainer(context, id, { state });
    await addContainer(context, 'another pod');
    const use = await podUse(context, sandbox);
    expect(use.total).toMatchObject({ cpu: { usageNs: 5_000_834_000n }, processes: [4021, 4077, 4021, 4077] });
    expect(use.containers.map(({ container }) => container.status.state).sort()).toEqual([
      'created',
      'exited',
      'running',
    ]);
    expect(use).not.toHaveProperty('network');
  });

  it('reads the network that the pause sees', async () => {
    const pause = identityOf(process.pid);
    const own = await podUse(context, await addSandbox(context, { pause, hostNetwork: false }));
    const node = await podUse(context, await addSandbox(context, { pause, hostNetwork: true }));
    // This process stands for the pause, so that is the network of the tests, if they have one beside loopback.
    expect(own.network?.primary.name).not.toBe('lo');
    expect(node).not.toHaveProperty('network');
  });

  it('is an empty pod once its pause has ended', async () => {
    const use = await podUse(context, await addSandbox(context, { hostNetwork: false }));
    expect(Object.keys(use).sort()).toEqual(['containers', 'sandbox', 'total']);
    expect(Object.keys(use.total ?? {})).toEqual(['timestamp']);
  });

  it('has no total for a pod that is not ready', async () => {
    const { record } = await addSandbox(context);
    await addContainer(context, record.id, { state: 'exited' });
    const stopped = await context.sandboxes.update(record.id, () => ({ state: 'not-ready', released: true }));
    const use = await podUse(context, stopped);
    expect(use).not.toHaveProperty('total');
    expect(use.containers).toHaveLength(1);
  });
});
