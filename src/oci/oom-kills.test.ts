import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { useScratch } from '../base/testing.js';
import { isCgroupV2 } from './cgroup.js';
import { oomKillsIn, sliceOf } from './oom-kills.js';

const scratch = useScratch('oom-kills');

describe('oomKillsIn', () => {
  it('reads the counter where there is one', async () => {
    await mkdir(scratch.path('cgroup'));
    expect(await oomKillsIn(scratch.path('cgroup'))).toBeUndefined();
    await writeFile(
      scratch.path('cgroup/memory.events'),
      'low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n',
    );
    // v1 has another counter, which conmon reads.
    expect(await oomKillsIn(scratch.path('cgroup'))).toBe(isCgroupV2() ? 3 : undefined);
  });
});

describe('sliceOf', () => {
  it.each([
    ['/sys/fs/cgroup/a.slice/a-b.slice/gantry-1.scope', '/sys/fs/cgroup/a.slice/a-b.slice'],
    ['/sys/fs/cgroup/a.slice/gantry-1.scope/container', '/sys/fs/cgroup/a.slice'],
    ['/sys/fs/cgroup/kubepods/pod1/1', undefined],
  ])('%s is in %s', (dir, slice) => {
    expect(sliceOf(dir)).toBe(slice);
  });
});
