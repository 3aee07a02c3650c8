import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isAlive, identify } from '../base/sys/process.js';
import { rejection, useScratch } from '../base/testing.js';
import { CGROUP_MOUNT, isCgroupV2 } from './cgroup.js';
import { ExecCgroup } from './exec-cgroup.js';

const scratch = useScratch('exec-cgroup');

describe('the cgroup of a command', () => {
  let container: string;
  beforeEach(async () => {
    container = join(CGROUP_MOUNT, isCgroupV2() ? '' : 'pids', `gantry-test-${newId().slice(0, 12)}`);
    await mkdir(container);
  });
  afterEach(async () => {
    await rmdir(container);
  });

  async function made(): Promise<{ cgroup: ExecCgroup; dir: string }> {
    const cgroup = await ExecCgroup.make(container);
    const [name = ''] = (await readdir(container, { withFileTypes: true })).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
    return { cgroup, dir: join(container, name) };
  }

  it('has the name that runtimes know it by', async () => {
    const { cgroup, dir } = await made();
    expect(dir).toMatch(/\/exec-[0-9a-f]{16}$/);
    expect(cgroup.option).toBe(`${isCgroupV2() ? '' : 'pids:'}${dir.slice(container.length + 1)}`);
    await cgroup.remove();
    expect(existsSync(dir)).toBe(false);
    await cgroup.remove();
  });

  it('stays while something runs in it, which it can end', async () => {
    const { cgroup, dir } = await made();
    const { pid } = scratch.shell('exec sleep 60');
    const process = identify(pid);
    await writeFile(join(dir, 'cgroup.procs'), String(pid));
    await cgroup.remove();
    expect(existsSync(dir)).toBe(true);
    await cgroup.kill();
    expect(process !== undefined && isAlive(process)).toBe(false);
    await cgroup.remove();
    expect(existsSync(dir)).toBe(false);
  });

  it('is never removed by another command before its own is in it', async () => {
    const other = await ExecCgroup.make(container);
    const gone: string[] = [];
    const command = async (): Promise<void> => {
      for (let round = 0; round < 100; round++) {
        const cgroup = await ExecCgroup.make(container);
        // By now who has seen it before has done what it would.
        await Promise.all([other.remove(), other.remove()]);
        if (!existsSync(join(container, cgroup.name))) gone.push(cgroup.name);
        await cgroup.remove();
      }
    };
    await Promise.all(Array.from({ length: 16 }, command));
    expect(gone).toEqual([]);
    expect((await readdir(container)).filter((name) => name.startsWith('exec-'))).toEqual([]);
  });

  it('is not made where the container is gone', async () => {
    const error = await rejection(ExecCgroup.make(join(container, 'gone')));
    expect(codeOf(error)).toBe('failed-precondition');
    expect(error.message).toContain(container);
  });
});
