import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { readIfExists } from '../../base/files.js';
import { newId } from '../../base/ids.js';
import { isAlive } from '../../base/sys/process.js';
import { mount, unmount } from '../../base/sys/sys.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { cgroupDirsOf, isCgroupV2 } from '../../oci/cgroup.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { stopSandbox } from '../../sandbox/stop.js';
import { createContainer } from './create.js';
import { currentSpec } from './current-spec.js';
import { execSync } from './exec-sync.js';
import { containerPaths } from './paths.js';
import { removeContainer, removeContainersOf } from './remove.js';
import { reopenLog } from './reopen-log.js';
import { startContainer } from './start.js';
import { killContainersOf, stopContainer } from './stop.js';
import { ContainerWorld, containerConfig, SECURITY } from './testing.js';
import type { ContainerProcesses } from './types.js';
import { updateContainer } from './update.js';

const scratch = useScratch('container');
const never = new AbortController().signal;
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

async function output(id: string, ...command: readonly string[]): Promise<string> {
  const { stdout } = await execSync(own.context, { containerId: id, command, timeoutSeconds: 10 }, never);
  return stdout.toString();
}

describe('a container', () => {
  it('is created, started, ends, and leaves nothing', async () => {
    const id = await own.create(sandbox, { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'] });
    const { init, monitor } = processesOf(id);
    expect(own.get(id).status.state).toBe('created');
    expect([isAlive(init), isAlive(monitor), await own.log(id)]).toEqual([true, true, []]);

    await startContainer(own.context, id);
    const status = await own.exit(id);
    expect(status).toMatchObject({ exitCode: 3, reason: 'Error', message: '' });
    expect(BigInt(status.finishedAt)).toBeGreaterThanOrEqual(BigInt(status.startedAt ?? '0'));
    expect((await own.log(id)).sort()).toEqual(['stderr F err', 'stdout F out']);
    expect([isAlive(init), isAlive(monitor)]).toEqual([false, false]);

    await removeContainer(own.context, id);
    await removeContainer(own.context, id);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('is in the pod’s namespaces and sees its files', async () => {
    const pod = await own.sandbox({ namespaces: { network: 'pod', pid: 'container', ipc: 'pod' } });
    const id = await own.run(pod, 'exec sleep 60');
    const pause = own.world.context.store.find(pod).status;
    const pid = pause.state === 'ready' ? pause.pause.pid : 0;
    const namespace = (of: number, name: string): string => readlinkSync(`/proc/${of}/ns/${name}`);
    const { init } = processesOf(id);
    for (const name of ['net', 'ipc', 'uts']) expect(namespace(init.pid, name)).toBe(namespace(pid, name));
    for (const name of ['mnt', 'pid']) expect(namespace(init.pid, name)).not.toBe(namespace(pid, name));
    expect(await output(id, 'cat', '/etc/hostname')).toBe('web-0\n');
    expect(await output(id, 'sh', '-c', 'echo $HOSTNAME $FROM; touch /dev/shm/x')).toBe('web-0 image\n');
    expect(existsSync(scratch.path('state', 'sandboxes', pod, 'shm', 'x'))).toBe(true);
  });

  it('has its own writable layer, and mounts as asked', async () => {
    await mkdir(scratch.path('volume'));
    await writeFile(scratch.path('volume', 'file'), 'of the host');
    await writeFile(scratch.path('config'), 'a file');
    const mount = { propagation: 'private', readonly: false } as const;
    const mounts = [
      { ...mount, containerPath: '/data', hostPath: scratch.path('volume') },
      { ...mount, containerPath: '/etc/app', hostPath: scratch.path('config'), readonly: true },
      { ...mount, containerPath: '/made', hostPath: scratch.path('missing', 'dir') },
    ];
    const id = await own.run(sandbox, 'exec sleep 60', { mounts });
    expect(await output(id, 'cat', '/data/file', '/etc/app')).toBe('of the hosta file');
    await output(id, 'touch', '/data/new', '/made/new', '/only-here');
    expect(existsSync(scratch.path('volume', 'new'))).toBe(true);
    expect(existsSync(scratch.path('missing', 'dir', 'new'))).toBe(true);
    expect(existsSync(scratch.path('image', 'only-here'))).toBe(false);
    expect(await output(id, 'sh', '-c', 'echo x 2>&1 >> /etc/app')).toContain('Read-only');
    await removeContainer(own.context, id);
    expect(readFileSync(scratch.path('volume', 'file'), 'utf8')).toBe('of the host');
  });

  it('runs as the user that it asks for', async () => {
    await writeFile(scratch.path('image', 'etc', 'passwd'), 'app:x:1000:1001::/:\n');
    await writeFile(scratch.path('image', 'etc', 'group'), 'wheel:x:10:app\n');
    const security = { ...SECURITY, username: 'app', supplementalGroups: [7], readonlyRootfs: true };
    const id = await own.run(sandbox, 'id -u; id -g; id -G; touch /x 2>&1', { security });
    await own.exit(id);
    expect(await own.log(id)).toEqual([
      'stdout F 1000',
      'stdout F 1001',
      'stdout F 1001 7 10',
      'stdout F touch: /x: Read-only file system',
    ]);
  });

  it('shares the processes of the pod, or of another container', async () => {
    const shared = { ...SECURITY, pid: 'pod' } as const;
    const first = await own.run(sandbox, 'exec sleep 61', { security: shared });
    const second = await own.run(sandbox, 'exec sleep 62', { security: shared });
    expect(await output(second, 'ps')).toMatch(/\/pause[^]*sleep 61[^]*sleep 62/);
    const alone = await own.run(sandbox, 'exec sleep 63');
    const targeting = { ...SECURITY, pid: 'target', targetId: alone } as const;
    const debug = await own.run(sandbox, 'exec sleep 64', { security: targeting });
    expect(await output(debug, 'ps')).toMatch(/sleep 63[^]*sleep 64/);
    expect(await output(debug, 'ps')).not.toContain('sleep 61');
    const error = await rejection(own.create(await own.sandbox(), { security: targeting }));
    expect(error).toMatchObject({ code: 'failed-precondition' });
    await removeContainer(own.context, first);
    expect(own.get(second).status.state).toBe('running');
  });

  it('takes what it left in a shared pid namespace along', async () => {
    const security = { ...SECURITY, pid: 'pod' } as const;
    const id = await own.run(sandbox, 'setsid sleep 65 & exit 4', { security });
    expect(await own.exit(id)).toMatchObject({ exitCode: 4 });
    const other = await own.run(sandbox, 'exec sleep 66', { security });
    expect(await output(other, 'ps')).not.toContain('sleep 65');
  });
});

describe('creating the same again', () => {
  it('gives the container that there is, or joins its creation', async () => {
    const request = { sandboxId: sandbox, config: containerConfig(), digest: 'd' };
    const both = await Promise.all([1, 2].map(() => createContainer(own.context, request)));
    expect(new Set([...both, await createContainer(own.context, request)]).size).toBe(1);
    expect((await rejection(createContainer(own.context, { ...request, digest: 'e' }))).code).toBe('already-exists');
  });

  it('never gives the container of another sandbox of the pod', async () => {
    const { metadata } = own.world.context.store.find(sandbox).record.config;
    const later = await own.sandbox({ metadata: { ...metadata, attempt: 1 } });
    const config = containerConfig();
    await createContainer(own.context, { sandboxId: sandbox, config, digest: 'd' });
    const error = await rejection(createContainer(own.context, { sandboxId: later, config, digest: 'd' }));
    expect(error.code).toBe('already-exists');
  });

  it('is refused once it was started, until it is removed', async () => {
    const request = { sandboxId: sandbox, config: containerConfig(), digest: 'd' };
    const id = await createContainer(own.context, request);
    await startContainer(own.context, id);
    expect((await rejection(createContainer(own.context, request))).code).toBe('already-exists');
    await removeContainer(own.context, id);
    expect(await createContainer(own.context, request)).not.toBe(id);
  });
});

describe('start', () => {
  it('is for created containers', async () => {
    const id = await own.create(sandbox);
    await startContainer(own.context, id.slice(0, 12));
    const again = await rejection(startContainer(own.context, id));
    expect(again).toMatchObject({ code: 'failed-precondition', message: `container "${id}" is running, not created` });
    await stopContainer(own.context, id, 0);
    expect((await rejection(startContainer(own.context, id))).message).toContain('is exited, not created');
    expect((await rejection(startContainer(own.context, newId()))).code).toBe('not-found');
  });

  it('leaves nothing running that could not be recorded', async () => {
    const id = await own.create(sandbox);
    const dir = own.context.store.dirOf(id);
    await mount({ source: 'tmpfs', target: dir, type: 'tmpfs', data: 'size=4k,nr_inodes=1' });
    try {
      expect((await rejection(startContainer(own.context, id))).code).toBe('ENOSPC');
      expect(await own.exit(id)).toMatchObject({ exitCode: 137 });
    } finally {
      await unmount(dir, { detach: true });
    }
  });

  it('may be over before it returns', async () => {
    const ids = await Promise.all([0, 0, 0].map(() => own.run(sandbox, 'exit 0', { logPath: '' })));
    for (const id of ids) {
      const status = await own.exit(id);
      expect(status).toMatchObject({ exitCode: 0, reason: 'Completed', startedAt: expect.stringMatching(/^\d+$/) });
    }
  });
});

describe('stop', () => {
  it('asks by the stop signal first', async () => {
    const script = 'trap "echo asked; exit 9" USR1; echo ready; while :; do sleep 0.05; done';
    const id = await own.run(sandbox, script, { stopSignal: 'SIGUSR1' });
    await until(async () => (await own.log(id)).includes('stdout F ready'));
    await stopContainer(own.context, id, 10);
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 9, reason: 'Error' });
    expect(await own.log(id)).toContain('stdout F asked');
  });

  it('kills after the grace period, and a later call can shorten it', async () => {
    const script = 'trap "" TERM; echo ready; while :; do sleep 0.05; done';
    const [slow, fast] = await Promise.all([own.run(sandbox, script), own.run(sandbox, script, { logPath: 'd.log' })]);
    for (const id of [slow, fast]) await until(async () => (await own.log(id)).includes('stdout F ready'));
    const begin = performance.now();
    const patient = stopContainer(own.context, slow, 600);
    await stopContainer(own.context, fast, 1);
    expect(performance.now() - begin).toBeGreaterThan(990);
    await stopContainer(own.context, slow, 0);
    await patient;
    for (const id of [slow, fast]) expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 137 });
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  it('ends one that was never started, or has ended, or is not there', async () => {
    const id = await own.create(sandbox);
    await stopContainer(own.context, id, 10);
    const { status } = own.get(id);
    expect(status).toMatchObject({ state: 'exited', exitCode: 137 });
    expect('startedAt' in status).toBe(false);
    await stopContainer(own.context, id, 10);
    await stopContainer(own.context, newId(), 10);
  });
});

describe('the end of a sandbox', () => {
  it('ends its containers and removes them', async () => {
    const ids = [await own.run(sandbox, 'sleep 60'), await own.create(sandbox), await own.run(sandbox, 'exit 5')];
    await own.exit(ids[2] ?? '');
    await killContainersOf(own.context, sandbox);
    expect(ids.map((id) => own.get(id).status.state)).toEqual(['exited', 'exited', 'exited']);
    await stopSandbox(own.world.context, sandbox);
    const error = await rejection(own.create(sandbox));
    expect(error).toMatchObject({
      code: 'failed-precondition',
      message: `sandbox "${sandbox}" is not ready: its state is not-ready`,
    });
    await removeContainersOf(own.context, sandbox);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('wins over a creation under way', async () => {
    const creation = own.create(sandbox).catch((error: unknown) => error);
    await until(() => own.context.store.list().length === 1);
    await killContainersOf(own.context, sandbox);
    await stopSandbox(own.world.context, sandbox);
    await killContainersOf(own.context, sandbox);
    await creation;
    const states = own.context.store.list().map(({ status }) => status.state);
    expect(states.filter((state) => state !== 'exited')).toEqual([]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('or its removal, even while the container comes to life', async () => {
    const creation = own.create(sandbox).catch((error: unknown) => error);
    await until(() => own.context.store.list().length === 1);
    const [{ record } = { record: { id: '' } }] = own.context.store.list();
    await removeContainer(own.context, record.id);
    await creation;
    expect(own.context.store.list()).toEqual([]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});

describe('a running container', () => {
  it('executes commands, and ends them with all they started at the deadline', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    const exec = (script: string, timeoutSeconds = 10) =>
      execSync(own.context, { containerId: id, command: ['sh', '-c', script], timeoutSeconds }, never);
    const { exitCode, stdout, stderr } = await exec('echo out; echo err >&2; exit 7');
    expect([exitCode, stdout.toString(), stderr.toString()]).toEqual([7, 'out\n', 'err\n']);
    expect((await rejection(exec('sleep 71 & setsid sleep 72 & sleep 73', 1))).code).toBe('deadline-exceeded');
    expect(await output(id, 'ps')).not.toMatch(/sleep 7[123]/);
    await stopContainer(own.context, id, 0);
    expect((await rejection(exec('true'))).code).toBe('failed-precondition');
  });

  it('keeps no dead command, though its first process waits for nobody', async () => {
    const id = await own.run(sandbox, 'exec sleep 60');
    for (const timeoutSeconds of [1, 1]) {
      const request = { containerId: id, command: ['sleep', '74'], timeoutSeconds };
      expect((await rejection(execSync(own.context, request, never))).code).toBe('deadline-exceeded');
    }
    const gone = execSync(
      own.context,
      { containerId: id, command: ['sleep', '75'], timeoutSeconds: 0 },
      AbortSignal.abort(),
    );
    expect((await rejection(gone)).code).toBe('deadline-exceeded');
    expect(await output(id, 'ps')).not.toMatch(/\[sleep\]|sleep 7/);
  });

  it('takes new limits, and keeps the others', async () => {
    const id = await own.run(sandbox, 'exec sleep 60', { resources: { ...NO_LIMITS, cpuShares: 100 } });
    await updateContainer(own.context, id, { ...NO_LIMITS, memoryLimit: 64 << 20 });
    const { status } = own.get(id);
    expect(status).toMatchObject({ resources: { cpuShares: 100, memoryLimit: 64 << 20 } });
    const spec = await currentSpec(own.context, own.get(id));
    expect(spec?.linux.resources).toMatchObject({ cpu: { shares: 100 }, memory: { limit: 64 << 20 } });
    const bad = updateContainer(own.context, id, { ...NO_LIMITS, cpusetCpus: '4000' });
    expect((await rejection(bad)).code).toBe('invalid-argument');
    expect(own.get(id).status).toEqual(status);
    await stopContainer(own.context, id, 0);
    expect(own.get(id).status).toMatchObject({ resources: { cpuShares: 100, memoryLimit: 64 << 20 } });
    const late = updateContainer(own.context, id, { ...NO_LIMITS, cpuShares: 5 });
    expect((await rejection(late)).code).toBe('failed-precondition');
  });

  it.each(['', '{', 'null', '{"version":1,"id":"x"}', '{"process":{},"linux":{"resources":null}}'])(
    'is told of without its configuration where that is damaged: %j',
    async (text) => {
      const id = await own.run(sandbox, 'exec sleep 60');
      await updateContainer(own.context, id, { ...NO_LIMITS, cpuShares: 100 });
      const { bundle, process } = containerPaths(own.context, own.get(id).record);
      await writeFile(join(bundle, 'config.json'), text);
      expect(await currentSpec(own.context, own.get(id))).toBeUndefined();
      await writeFile(process, '{');
      const error = await rejection(output(id, 'true'));
      expect(error).toMatchObject({ code: 'data-loss', message: expect.stringContaining(process) });
    },
  );

  it('takes a limit of memory away, and that of swap with it', async () => {
    const limits = { ...NO_LIMITS, memoryLimit: 64 << 20, memorySwapLimit: 64 << 20 };
    const id = await own.run(sandbox, 'exec sleep 60', { resources: limits });
    await updateContainer(own.context, id, { ...NO_LIMITS, memoryLimit: -1 });
    const [file, none] = isCgroupV2() ? ['memory.max', /^max$/] : ['memory.limit_in_bytes', /^9223372036854\d{6}$/];
    const dirs = cgroupDirsOf(processesOf(id).init.pid).map((dir) => join(dir, file));
    const found = (await Promise.all(dirs.map((path) => readIfExists(path)))).filter((text) => text !== undefined);
    expect(found.map((text) => text.trim())).toEqual([expect.stringMatching(none)]);
  });

  it('goes on in a new log when the old one was renamed', async () => {
    const id = await own.run(sandbox, 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.02; done');
    const { logPath } = own.get(id).record;
    await until(async () => (await own.log(id)).length > 2);
    const before = (await stat(logPath)).ino;
    await reopenLog(own.context, id);
    expect((await stat(logPath)).ino).toBe(before);
    await rename(logPath, `${logPath}.1`);
    await reopenLog(own.context, id);
    await until(async () => (await own.log(id)).length > 2);
    await stopContainer(own.context, id, 0);
    const lines = [`${logPath}.1`, logPath].map((path) => readFile(path, 'utf8'));
    const numbers = (await Promise.all(lines))
      .join('')
      .split('\n')
      .flatMap((line) => line.split(' F ')[1] ?? [])
      .map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect((await rejection(reopenLog(own.context, id))).code).toBe('failed-precondition');
  });
});
