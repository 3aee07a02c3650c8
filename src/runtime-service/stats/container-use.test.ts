import { rm } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { useScratch } from '../../base/testing.js';
import { containerUse } from './container-use.js';
import type { StatsContext } from './context.js';
import { addContainer, openStatsFixture } from './testing.js';

const scratch = useScratch('container-use');

describe('containerUse', () => {
  let context: StatsContext;
  beforeEach(async () => {
    context = await openStatsFixture(scratch);
  });

  it.each(['created', 'running'] as const)('reads cgroup and files of a %s container', async (state) => {
    const container = await addContainer(context, 'pod', { state });
    const use = await containerUse(context, container);
    expect(use.container).toBe(container);
    expect(use.cgroup).toMatchObject({ cpu: { usageNs: 2_500_417_000n }, processes: [4021, 4077] });
    expect(use.layer).toMatchObject({ inodes: 2 });
  });

  it('reads the files alone of one that has ended', async () => {
    const use = await containerUse(context, await addContainer(context, 'pod', { state: 'exited' }));
    expect(Object.keys(use).sort()).toEqual(['container', 'layer']);
  });

  it('drops what it read of one that ended meanwhile', async () => {
    const seenBefore = await addContainer(context, 'pod');
    const ended = { finishedAt: '1', exitCode: 0, reason: 'Completed', message: '' } as const;
    await context.containers.update(seenBefore.record.id, () => ({ state: 'exited', ...ended }));
    expect(await containerUse(context, seenBefore)).not.toHaveProperty('cgroup');
  });

  it('has nothing of a cgroup that is gone, but the time', async () => {
    const container = await addContainer(context, 'pod');
    await rm(scratch.path('cgroup/pods'), { recursive: true });
    expect(Object.keys((await containerUse(context, container)).cgroup ?? {})).toEqual(['timestamp']);
  });
});
