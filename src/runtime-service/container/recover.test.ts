import { existsSync } from 'node:fs';
import { rm, symlink, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { internal } from '../../base/errors.js';
import { endProcess, isAlive, signalProcess } from '../../base/sys/process.js';
import { unmount } from '../../base/sys/sys.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { ownRuntime, RUNC, testRuntimes } from '../../oci/testing.js';
import { createContainer } from './create.js';
import { execSync } from './exec-sync.js';
import { removeContainer } from './remove.js';
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

  it('one has ended whatever stands in the place of its exit file', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    await unseen(id, ({ init }) => signalProcess(init, 'SIGKILL'));
    const exit = scratch.path('state', 'containers', id, 'exit');
    await rm(exit);
    await symlink('/dev/zero', exit);
    await own.restart();
    expect(own.get(id).status.state).toBe('exited');
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
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
    expect([isAlive(init), isAlive(monitor)]).toEqual([false, false]);
    await context.retries.idle();
    expect(context.store.list()).toEqual([]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('is removed though the runtime knows nothing of it', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const { init, monitor } = processesOf(own.get(id).status);
    await own.leave(id, { state: 'creating' });
    await rm(scratch.path('runtime', id), { recursive: true });
    const context = await own.restart();
    expect([isAlive(init), isAlive(monitor)]).toEqual([false, false]);
    await context.retries.idle();
    expect(context.store.list()).toEqual([]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('has no right to its name', async () => {
    const request = { sandboxId: sandbox, config: containerConfig(), digest: 'd' };
    const half = await createContainer(own.context, request);
    own.context.names.release(own.get(half).record.name, half);
    const whole = await createContainer(own.context, request);
    await own.leave(half, { state: 'creating' });
    const context = await own.restart();
    expect(await createContainer(context, request)).toBe(whole);
    await context.retries.idle();
    expect(context.store.list().map(({ record }) => record.id)).toEqual([whole]);
  });
});

describe('what was made by another configuration', () => {
  it('is used and given back by its own record', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const dead = await own.run(sandbox, 'exec sleep 60');
    await unseen(dead, ({ init }) => signalProcess(init, 'SIGKILL'));
    const other = ownRuntime(scratch, { root: scratch.path('other-runtime'), path: '/no/such/runtime' });
    const changed = { runtimes: testRuntimes(scratch, { other }), stateDir: scratch.path('other') };
    const context = await own.restart(changed);
    expect(own.get(dead).status).toMatchObject({ state: 'exited', exitCode: 137 });
    const said = await execSync(
      context,
      { containerId: id, command: ['echo', 'here'], timeoutSeconds: 10 },
      new AbortController().signal,
    );
    expect(said.stdout.toString()).toBe('here\n');
    for (const each of [id, dead]) await removeContainer(context, each);
    await own.restart();
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});

describe('a runtime that hangs at the end of a container', () => {
  it('keeps nobody from starting', async () => {
    const below = scratch.below('hang');
    const [hangs, tried] = [below.path('hangs'), below.path('tried')];
    const path = await below.script(
      'runtime.sh',
      `case " $* " in *" delete "*) if [ -e ${hangs} ]; then touch ${tried}; exec sleep 60; fi;; esac; exec ${RUNC} "$@"`,
    );
    const world = await ContainerWorld.make(below, { runtimePath: path, timeoutMs: 5_000 });
    const pod = await world.sandbox();
    const half = await world.run(pod, 'exec sleep 60');
    const { init } = processesOf(world.get(half).status);
    await world.leave(half, { state: 'removing' });
    await writeFile(hangs, '');
    const context = await world.restart();
    expect(isAlive(init)).toBe(false);
    await until(() => existsSync(tried));
    expect(context.retries.waiting).toEqual([`container ${half}`]);
    // Without the runtime, once it was given its time.
    await context.retries.idle();
    expect([context.retries.waiting, context.store.list()]).toEqual([[], []]);
    await rm(hangs);
    await world.clear();
    expect(await world.leftovers()).toEqual([]);
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
    await world.context.retries.idle();
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
