import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { nowNs } from '../../base/clock.js';
import { endProcess, isAlive, signalProcess } from '../../base/sys/process.js';
import { unmount } from '../../base/sys/sys.js';
import { kernelTellsExitCodes, until, useScratch } from '../../base/testing.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { cgroupDirsOf } from '../../oci/cgroup.js';
import { oomKillsIn } from '../../oci/oom-kills.js';
import { moveContainer } from './state.js';
import { stopContainer } from './stop.js';
import { ContainerWorld } from './testing.js';
import type { ContainerProcesses, ContainerStatus } from './types.js';

const scratch = useScratch('exits');
let own: ContainerWorld;
let sandbox: string;

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  sandbox = await own.sandbox();
});

function processesOf(id: string): ContainerProcesses {
  const { status } = own.get(id);
  if (status.state !== 'created' && status.state !== 'running') throw new RangeError(`it is ${status.state}`);
  return status.processes;
}

describe('the end of a container', () => {
  it.each([
    ['exit 0', { exitCode: 0, reason: 'Completed' }],
    ['exit 1', { exitCode: 1, reason: 'Error' }],
    ['exit 255', { exitCode: 255, reason: 'Error' }],
  ])('of `%s`', async (script, expected) => {
    const id = await own.run(sandbox, script);
    expect(await own.exit(id)).toMatchObject({ ...expected, message: '' });
  });

  it('by a signal of ours is told as shells do', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    signalProcess(processesOf(id).init, 'SIGKILL');
    expect(await own.exit(id)).toMatchObject({ exitCode: 137, reason: 'Error' });
  });

  it('has all of the output before it', async () => {
    const id = await own.run(sandbox, 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done');
    await own.exit(id);
    // A line that the monitor reads in two parts has a first one marked P.
    const whole = (await own.log(id)).filter((line) => line.startsWith('stdout F '));
    expect(whole).toHaveLength(2_000);
  });

  it('gives the cgroup back', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const dirs = cgroupDirsOf(processesOf(id).init.pid).filter((dir) => dir.includes(id));
    expect(dirs.filter((dir) => existsSync(dir))).not.toEqual([]);
    signalProcess(processesOf(id).init, 'SIGKILL');
    await until(() => [...dirs, scratch.path('runtime', id)].every((path) => !existsSync(path)));
  });

  it('comes after its start, however long that takes to be known', async () => {
    const { exits, runtimes, store } = own.context;
    const states: (string | undefined)[] = [];
    store.watch(({ after }) => states.push(after?.status.state));
    const id = await own.create(sandbox, { command: ['sh', '-c', 'exit 7'] });
    const { init, monitor } = processesOf(id);
    const { handler } = own.get(id).record;
    await exits.starting(id, async () => {
      await runtimes.get(handler).start(id);
      await until(() => !isAlive(init) && !isAlive(monitor));
      await setTimeout(100);
      await store.update(id, (now) =>
        moveContainer(now, { ...now, state: 'running', startedAt: nowNs() } as ContainerStatus),
      );
    });
    expect(await own.exit(id)).toMatchObject({ exitCode: 7 });
    expect(states).toEqual(['creating', 'created', 'running', 'exited']);
  });

  it('is recorded of a container whose start fails, too', async () => {
    const id = await own.create(sandbox, { command: ['sh', '-c', 'exec sleep 60'] });
    const failed = own.context.exits.starting(id, () => {
      signalProcess(processesOf(id).init, 'SIGKILL');
      return Promise.reject(new RangeError('no start'));
    });
    await expect(failed).rejects.toThrow('no start');
    expect(await own.exit(id)).toMatchObject({ exitCode: 137 });
  });

  it('is waited for by whoever asks', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const ended = own.context.exits.ended(id);
    signalProcess(processesOf(id).init, 'SIGKILL');
    await ended;
    expect(own.get(id).status.state).toBe('exited');
    await own.context.exits.ended(id);
    await own.context.exits.ended('no such container');
  });
});

describe('running out of memory', () => {
  const resources = { ...NO_LIMITS, memoryLimit: 24 << 20, memorySwapLimit: 24 << 20 };
  const eat = 'x=$(head -c 100000000 /dev/zero | sh -c "a=x; while :; do a=\\$a\\$a; done")';

  it('is the reason of a container that the kernel killed', async () => {
    const id = await own.run(sandbox, 'a=xxxxxxxx; while :; do a=$a$a; done', { resources });
    expect(await own.exit(id)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  it('of another of its processes is not its own reason', async () => {
    const id = await own.run(sandbox, `${eat}; exit 5`, { resources });
    expect(await own.exit(id)).toMatchObject({ exitCode: 5, reason: 'Error' });
  });

  it('of another of its processes is not the reason of one that is stopped by force', async () => {
    const id = await own.run(sandbox, `${eat}; exec sleep 60`, { resources });
    // The monitor tells of it by a file on cgroup v1, the cgroup itself on v2.
    const { cgroupDir } = processesOf(id);
    const told = scratch.path('state', 'containers', id, 'oom');
    await until(async () => existsSync(told) || ((await oomKillsIn(cgroupDir)) ?? 0) > 0);
    await stopContainer(own.context, id, 0);
    expect(await own.exit(id)).toMatchObject({ exitCode: 137, reason: 'Error' });
  });
});

describe('without a monitor', () => {
  it('a container goes on, and its end is known, with its code if the kernel tells', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { init, monitor } = processesOf(id);
    await endProcess(monitor);
    expect(isAlive(init)).toBe(true);
    expect(own.get(id).status.state).toBe('running');
    signalProcess(init, 'SIGKILL');
    expect(await own.exit(id)).toMatchObject(
      kernelTellsExitCodes()
        ? { exitCode: 137, reason: 'Error' }
        : { exitCode: 255, reason: 'Unknown', message: 'the monitor left no exit code' },
    );
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('that is to be trusted, the same is said', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { init, monitor } = processesOf(id);
    await endProcess(monitor);
    await writeFile(scratch.path('state', 'containers', id, 'exit'), 'garbage');
    signalProcess(init, 'SIGKILL');
    expect(await own.exit(id)).toMatchObject({ exitCode: kernelTellsExitCodes() ? 137 : 255 });
  });
});

describe('an end that cannot be recorded', () => {
  it('harms nobody else', async () => {
    const [lost, other] = [await own.run(sandbox, 'exec sleep 60'), await own.run(sandbox, 'exec sleep 60')];
    scratch.defer(() => unmount(scratch.path('state', 'containers', lost, 'rootfs')));
    await rm(scratch.path('root', 'containers', lost), { recursive: true });
    for (const id of [lost, other]) signalProcess(processesOf(id).init, 'SIGKILL');
    expect(await own.exit(other)).toMatchObject({ exitCode: 137 });
    await own.context.exits.ended(lost);
  });
});
