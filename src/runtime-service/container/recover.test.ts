import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { internal } from '../../base/errors.js';
import { endProcess, isAlive, signalProcess } from '../../base/sys/process.js';
import { unmount } from '../../base/sys/sys.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { RUNC } from '../../oci/testing.js';
import { createContainer } from './create.js';
import { startContainer } from './start.js';
import { stopContainer } from './stop.js';
import { containerConfig, ContainerWorld } from './testing.js';
import type { ContainerProcesses, ContainerStatus } from './types.js';

const scratch = useScratch('recover');
let own: ContainerWorld;
let sandbox: string;

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  sandbox = await own.sandbox();
});

function processesOf(status: ContainerStatus): ContainerProcesses {
  if (status.state !== 'created' && status.state !== 'running') throw new RangeError(`it is ${status.state}`);
  return status.processes;
}

/** Lets a container end, and then puts its status back to what it was before: nobody has seen the end. */
async function unseen(id: string, end: (processes: ContainerProcesses) => Promise<unknown> | boolean): Promise<void> {
  const { status } = own.get(id);
  await end(processesOf(status));
  await own.exit(id);
  await until(() => own.context.locks.size === 0);
  await own.leave(id, status);
}

describe('after a restart', () => {
  it('running containers go on and are watched', async () => {
    const id = await own.run(sandbox, 'trap "exit 6" TERM; echo ready; while :; do sleep 0.05; done');
    await until(async () => (await own.log(id)).includes('stdout F ready'));
    const { status } = own.get(id);
    const context = await own.restart();
    expect(own.get(id).status).toEqual(status);
    expect(isAlive(processesOf(status).init)).toBe(true);
    await stopContainer(context, id, 10);
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 6 });
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('created ones can be started', async () => {
    const id = await own.create(sandbox, { command: ['sh', '-c', 'exit 4'] });
    const context = await own.restart();
    await startContainer(context, id);
    expect(await own.exit(id)).toMatchObject({ exitCode: 4 });
  });

  it('the name is still taken, and a retry gets the container', async () => {
    const request = { sandboxId: sandbox, config: containerConfig(), digest: 'd' };
    const id = await createContainer(own.context, request);
    const context = await own.restart();
    expect(await createContainer(context, request)).toBe(id);
    expect((await rejection(createContainer(context, { ...request, digest: 'e' }))).code).toBe('already-exists');
  });

  it('the end of one that nobody saw is on record before the first list', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    await unseen(id, ({ init }) => signalProcess(init, 'SIGTERM') && signalProcess(init, 'SIGKILL'));
    await own.restart();
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 137, reason: 'Error' });
  });

  it('so is its code where the state directory is gone, as after a reboot', async () => {
    const id = await own.run(sandbox, 'read x < /dev/null; sleep 0.2; exit 12');
    await unseen(id, () => true);
    await own.context.images.unmountRootfs({ owner: id, target: scratch.path('state', 'containers', id, 'rootfs') });
    await rm(scratch.path('state', 'containers'), { recursive: true });
    await own.restart();
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 12 });
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('one that was ended with its monitor is known to have ended', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    await unseen(id, async ({ init, monitor }) => {
      await endProcess(monitor);
      await endProcess(init);
    });
    await own.restart();
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 255, reason: 'Unknown' });
  });

  it('a process of an earlier boot is never taken for a container’s', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { status } = own.get(id);
    const { init, monitor, cgroupDir } = processesOf(status);
    await unseen(id, () => signalProcess(init, 'SIGKILL'));
    const stranger = { pid: process.pid, startTime: monitor.startTime.replace(/@.*/, '@another-boot') };
    await own.leave(id, { ...status, processes: { init: stranger, monitor: stranger, cgroupDir } });
    await own.restart();
    expect(own.get(id).status.state).toBe('exited');
  });

  it('exited ones keep how they ended', async () => {
    const id = await own.run(sandbox, 'exit 5');
    const status = await own.exit(id);
    await own.restart();
    expect(own.get(id).status).toEqual(status);
  });
});

describe('what was left half-way', () => {
  it.each(['creating', 'removing'])('is removed with all that it holds: %s', async (state) => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { init, monitor } = processesOf(own.get(id).status);
    await own.leave(id, { state });
    const context = await own.restart();
    expect(context.store.list()).toEqual([]);
    expect([isAlive(init), isAlive(monitor)]).toEqual([false, false]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('is removed though the runtime knows nothing of it', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { init, monitor } = processesOf(own.get(id).status);
    await own.leave(id, { state: 'creating' });
    await rm(scratch.path('runtime', id), { recursive: true });
    await own.restart();
    expect([isAlive(init), isAlive(monitor)]).toEqual([false, false]);
    expect(own.context.store.list()).toEqual([]);
  });
});

describe('with a fault', () => {
  it('what was left half-way is tried again', async () => {
    let stuck = false;
    const images = {
      unmountRootfs: async ({ target }: { readonly target: string }) => {
        if (stuck) throw internal('busy');
        await unmount(target, { detach: true });
      },
    };
    const world = await ContainerWorld.make(scratch.below('faults'), { images });
    const id = await world.create(await world.sandbox());
    await world.leave(id, { state: 'removing' });
    stuck = true;
    await world.restart();
    expect(world.context.retries.waiting).toEqual([`container ${id}`]);
    stuck = false;
    await world.context.retries.retry();
    await world.clear();
    expect(await world.leftovers()).toEqual([]);
  });

  it('what the runtime was still making does not come to life later', async () => {
    const below = scratch.below('slow');
    const [broken, creating] = [below.path('broken'), below.path('creating')];
    const slow = `touch ${creating}; sleep 60`;
    const script = `RUNC="${RUNC} $*"\n[ -e ${broken} ] || exec $RUNC\ncase " $* " in *" create "*) ${slow};; *) exec $RUNC;; esac`;
    const world = await ContainerWorld.make(below, { runtimePath: await below.script('runtime.sh', script) });
    const pod = await world.sandbox();
    await writeFile(broken, '');
    const creation = rejection(world.create(pod));
    await until(() => existsSync(creating));
    const context = await world.restart();
    expect((await creation).message).toContain('create container');
    // The daemon that is gone in life undoes here beside the new one, which may find a mount busy and come again.
    await until(async () => {
      await context.retries.retry();
      return context.store.list().length === 0;
    });
    await world.clear();
    expect(await world.leftovers()).toEqual([]);
  });
});
