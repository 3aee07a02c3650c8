import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { settlesWithin } from '../base/abort.js';
import { newId } from '../base/ids.js';
import { endProcess, isAlive, signalProcess, type ProcessIdentity } from '../base/sys/process.js';
import { mount, unmount } from '../base/sys/sys.js';
import { rejection, until, useScratch } from '../base/testing.js';
import { sandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { recoverSandboxes } from './recover.js';
import { removeSandbox } from './remove.js';
import { runSandbox } from './run.js';
import { stopSandbox } from './stop.js';
import { podConfig, World } from './testing.js';
import type { SandboxConfig } from './types.js';

const scratch = useScratch('sandbox');
let world: World;

beforeEach(async () => {
  world = await World.make(scratch);
});

const start = (more: Partial<SandboxConfig> = {}): Promise<string> =>
  runSandbox(world.context, podConfig(more), newId());
const never = (): Promise<void> => new Promise(() => undefined);
const statusOf = (id: string) => world.context.store.find(id).status;

function pauseOf(id: string): ProcessIdentity {
  const status = statusOf(id);
  expect(status.state).toBe('ready');
  return status.state === 'ready' ? status.pause : { pid: 0, startTime: '' };
}

const pathsOf = (id: string) => sandboxPaths(world.context.settings, world.context.store.find(id).record);

/** In the usual world. */
async function recoverAgain(): Promise<void> {
  const context = await world.restart();
  await recoverSandboxes(context);
  await context.retries.idle();
}

describe('a sandbox', () => {
  it('has a network, a pause process and namespaces, and leaves nothing', async () => {
    const id = await start();
    const { record, status } = world.context.store.find(id);
    expect(status).toMatchObject({ state: 'ready', ips: [expect.stringMatching(/^10\.202\./)] });
    const [ip = ''] = status.state === 'ready' ? status.ips : [];
    expect(await world.inNetns(id, 'ip', '-4', '-o', 'addr', 'show', 'eth0')).toContain(` ${ip}/24 `);
    const pause = pauseOf(id);
    expect(isAlive(pause)).toBe(true);
    expect(await readFile(`/proc/${pause.pid}/cmdline`, 'utf8')).toBe('/pause\0-P\0');
    expect(await readFile(`/proc/${pause.pid}/cgroup`, 'utf8')).toContain(`${world.cgroupParent}/${id}`);
    expect(await world.inPause(id, 'hostname')).toBe('web-0\n');
    expect(record).toMatchObject({ id, handler: 'test', cgroupParent: world.cgroupParent });
    const held = await world.leftovers();
    for (const kind of [
      ' nsfs ',
      '/shm tmpfs ',
      `ipam/test/${ip}`,
      `${world.cgroupParent}/${id}`,
      `${pause.pid} /pause`,
    ])
      expect(held.join('\n')).toContain(kind);

    await stopSandbox(world.context, id);
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: true });
    expect(isAlive(pause)).toBe(false);
    expect(existsSync(record.netnsPath ?? '')).toBe(false);
    await stopSandbox(world.context, id);

    await removeSandbox(world.context, id);
    await removeSandbox(world.context, id);
    await stopSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('is removed though it was not stopped', async () => {
    const id = await start();
    await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('runs its pause as nobody, with no right and nothing of the host to see', async () => {
    const id = await start();
    const { pid } = pauseOf(id);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t65535\t/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect((await readdir(`/proc/${pid}/root`)).sort()).toEqual(['dev', 'pause', 'proc']);
    for (const fd of ['0', '1', '2']) expect(await readdir(`/proc/${pid}/fd`)).toContain(fd);
  });

  it('lets the author of a pod give the runtime no orders', async () => {
    const id = await start({ annotations: { 'org.systemd.property.MemoryMax': '1', 'run.oci.handler': 'x' } });
    const spec = JSON.parse(readFileSync(`${pathsOf(id).dir}/config.json`, 'utf8')) as object;
    expect(JSON.stringify(spec)).not.toMatch(/systemd|run\.oci/);
    expect(spec).toMatchObject({ annotations: { 'io.kubernetes.cri.sandbox-id': id } });
  });

  it('has the sysctls that it asks for, over what the network’s plugins set', async () => {
    await world.network([{ type: 'tuning', sysctl: { 'net.core.somaxconn': '99' } }]);
    await world.restart();
    const id = await start({
      sysctls: { 'net.core.somaxconn': '77', 'net/ipv4/ip_default_ttl': '33', 'kernel.shm_rmid_forced': '1' },
    });
    const read = (name: string): Promise<string> => world.inPause(id, 'cat', `/proc/sys/${name}`);
    expect(await read('net/core/somaxconn')).toBe('77\n');
    expect(await read('net/ipv4/ip_default_ttl')).toBe('33\n');
    expect(await read('kernel/shm_rmid_forced')).toBe('1\n');
    expect(readFileSync('/proc/sys/kernel/shm_rmid_forced', 'utf8')).toBe('0\n');
  });

  it('of the node’s namespaces has none of its own', async () => {
    const id = await start({ namespaces: { network: 'node', pid: 'node', ipc: 'node' } });
    expect(statusOf(id)).toMatchObject({ state: 'ready', ips: [] });
    const { pid } = pauseOf(id);
    const namespace = (owner: number | 'self', name: string) => readlinkSync(`/proc/${owner}/ns/${name}`);
    for (const name of ['net', 'pid', 'ipc', 'uts']) expect(namespace(pid, name)).toBe(namespace('self', name));
    expect(namespace(pid, 'mnt')).not.toBe(namespace('self', 'mnt'));
    expect(await readdir(scratch.path('netns')).catch(() => [])).toEqual([]);
    await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('takes the cgroup parent that the pod asks for', async () => {
    const cgroupParent = `${world.cgroupParent}/pods/pod1`;
    const id = await start({ cgroupParent });
    expect(await readFile(`/proc/${pauseOf(id).pid}/cgroup`, 'utf8')).toContain(`${cgroupParent}/${id}`);
    await removeSandbox(world.context, id);
  });
});

describe('running the same again', () => {
  it('gives the sandbox that there is, or joins its creation', async () => {
    const config = podConfig();
    const both = await Promise.all([1, 2].map(() => runSandbox(world.context, config, 'digest')));
    expect(new Set([...both, await runSandbox(world.context, config, 'digest')]).size).toBe(1);
    expect(world.context.store.list()).toHaveLength(1);
  });

  it('is refused for another request, also while it is under way', async () => {
    const config = podConfig();
    const first = runSandbox(world.context, config, 'digest');
    expect((await rejection(runSandbox(world.context, config, 'other'))).code).toBe('already-exists');
    const id = await first;
    const error = await rejection(runSandbox(world.context, config, 'other'));
    expect(error).toMatchObject({ code: 'already-exists', message: 'sandbox of pod shop/web' });
    const next = { ...config, metadata: { ...config.metadata, attempt: 1 } };
    expect(await runSandbox(world.context, next, 'other')).not.toBe(id);
  });

  it('is refused until the one that has ended is removed', async () => {
    const config = podConfig();
    const id = await runSandbox(world.context, config, 'digest');
    await stopSandbox(world.context, id);
    expect((await rejection(runSandbox(world.context, config, 'digest'))).code).toBe('already-exists');
    await removeSandbox(world.context, id);
    expect(await runSandbox(world.context, config, 'digest')).not.toBe(id);
  });
});

describe('several sandboxes', () => {
  it('start and end side by side, with an address each', async () => {
    const ids = await Promise.all(Array.from({ length: 4 }, () => start()));
    const ips = ids
      .map((id) => world.context.store.find(id).status)
      .flatMap((status) => ('ips' in status ? status.ips : []));
    expect(new Set(ips).size).toBe(4);
    await Promise.all(ids.map((id) => removeSandbox(world.context, id)));
    expect(await world.leftovers()).toEqual([]);
  });

  it('can be stopped by several at once', async () => {
    const id = await start();
    await Promise.all([1, 2, 3].map(() => stopSandbox(world.context, id)));
    await Promise.all([1, 2].map(() => removeSandbox(world.context, id)));
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('a pause process that ends', () => {
  it('makes its sandbox not ready, to be stopped and removed as any', async () => {
    const id = await start();
    signalProcess(pauseOf(id), 'SIGKILL');
    await world.reaches(id, 'not-ready');
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: false });
    expect(await readdir(scratch.path('netns'))).toHaveLength(1);
    await stopSandbox(world.context, id);
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: true });
    await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('after a restart', () => {
  it('a ready sandbox goes on and is watched', async () => {
    const config = podConfig();
    const id = await runSandbox(world.context, config, 'digest');
    const pause = pauseOf(id);
    const context = await world.restart();
    await recoverSandboxes(context);
    expect(pauseOf(id)).toEqual(pause);
    expect(await runSandbox(context, config, 'digest')).toBe(id);
    expect((await rejection(runSandbox(context, config, 'other'))).code).toBe('already-exists');
    signalProcess(pause, 'SIGKILL');
    await world.reaches(id, 'not-ready');
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('one whose pause died meanwhile is not ready', async () => {
    const id = await start();
    const status = statusOf(id);
    await endProcess(pauseOf(id));
    await world.reaches(id, 'not-ready');
    await world.leave(id, status);
    const context = await world.restart();
    await recoverSandboxes(context);
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: false });
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('one that was stopped is still there', async () => {
    const id = await start();
    await stopSandbox(world.context, id);
    const context = await world.restart();
    await recoverSandboxes(context);
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: true });
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it.each(['creating', 'removing'])('one that was %s, with all that it may hold, is gone', async (state) => {
    const config = podConfig();
    const id = await runSandbox(world.context, config, 'digest');
    const pause = pauseOf(id);
    await world.leave(id, { state });
    const context = await world.restart();
    await recoverSandboxes(context);
    expect(isAlive(pause)).toBe(false);
    await context.retries.idle();
    expect(await world.leftovers()).toEqual([]);
    const again = await runSandbox(context, config, 'digest');
    expect(again).not.toBe(id);
  });

  it('one that was creating is gone though the runtime knows nothing of its process', async () => {
    const id = await start();
    const pause = pauseOf(id);
    await world.leave(id, { state: 'creating' });
    await rm(scratch.path('runtime', id), { recursive: true });
    const context = await world.restart();
    await recoverSandboxes(context);
    expect(isAlive(pause)).toBe(false);
    await context.retries.idle();
    expect(await world.leftovers()).toEqual([]);
  });

  it('one left half-way has no right to its name, whatever comes first', async () => {
    const config = podConfig();
    const half = await runSandbox(world.context, config, 'digest');
    world.context.names.release(sandboxName(config.metadata), half);
    const whole = await runSandbox(world.context, config, 'digest');
    await world.leave(half, { state: 'creating' });
    const context = await world.restart({ networks: { ...world.context.networks, tearDown: never } });
    await recoverSandboxes(context);
    expect(await runSandbox(context, config, 'digest')).toBe(whole);
    expect((await rejection(runSandbox(context, config, 'other'))).code).toBe('already-exists');
    // Its network hangs, and it is ended all the same.
    expect(context.retries.waiting).toEqual([`sandbox ${half}`]);
    await recoverAgain();
    for (const id of [half, whole]) await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('those whose networks hang keep nobody waiting, but those who ask for their end', async () => {
    const [hanging, good] = [await start(), await start()];
    await world.leave(hanging, { state: 'removing' });
    let goOn = (): void => undefined;
    const tearDown = () => new Promise<void>((resolve) => (goOn = resolve));
    const context = await world.restart({ networks: { ...world.context.networks, tearDown } });
    await recoverSandboxes(context);
    expect(statusOf(good)).toMatchObject({ state: 'ready' });
    const removal = removeSandbox(context, hanging);
    expect(await settlesWithin(removal, 100)).toBe(false);
    goOn();
    await removal;
    expect(context.store.list().map(({ record }) => record.id)).toEqual([good]);
    await recoverAgain();
    await removeSandbox(world.context, good);
  });

  it('of the machine, all are not ready, and their addresses come back when they are stopped', async () => {
    const id = await start();
    await endProcess(pauseOf(id));
    await world.reaches(id, 'not-ready');
    await world.runtime.delete(id);
    const { netnsPath = '' } = world.context.store.find(id).record;
    await unmount(netnsPath, { detach: true });
    await unmount(pathsOf(id).shm, { detach: true });
    for (const dir of ['state', 'netns', 'runtime']) await rm(scratch.path(dir), { recursive: true });
    const boot = '@00000000-0000-0000-0000-000000000000';
    await world.leave(id, { state: 'ready', pause: { pid: process.pid, startTime: `1${boot}` }, ips: ['10.0.0.1'] });

    const context = await world.restart();
    await recoverSandboxes(context);
    expect(statusOf(id)).toEqual({ state: 'not-ready', released: false });
    await stopSandbox(context, id);
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('one that resists removal keeps neither the daemon nor the others', async () => {
    const [stuck, good] = [await start(), await start()];
    for (const id of [stuck, good]) await world.leave(id, { state: 'removing' });
    const below = pathsOf(stuck).rootfs;
    await mount({ source: 'tmpfs', target: below, type: 'tmpfs' });
    const context = await world.restart();
    await recoverSandboxes(context);
    await context.retries.idle();
    expect(context.store.list().map(({ record }) => record.id)).toEqual([stuck]);
    expect(context.retries.waiting).toEqual([`sandbox ${stuck}`]);
    await unmount(below);
    await context.retries.retry();
    await until(async () => (await world.leftovers()).length === 0);
  });
});
