import { existsSync } from 'node:fs';
import { rm, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { describeError } from '../../base/errors.js';
import { mknodSync } from '../../base/sys/calls.js';
import { isAlive } from '../../base/sys/process.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { RUNC } from '../../oci/testing.js';
import { createContainer } from './create.js';
import { removeContainer } from './remove.js';
import { startContainer } from './start.js';
import { killContainersOf, stopContainer } from './stop.js';
import { containerConfig, ContainerWorld, SECURITY, type ContainerWorldOptions } from './testing.js';
import type { ContainerConfig } from './types.js';
import { updateContainer } from './update.js';

const scratch = useScratch('unstartable');

const MISSING = { command: ['no-such-program'] };
const REASON = 'exec: "no-such-program": executable file not found in $PATH';

/** Nothing of it but its files and mounts: no process, no cgroup, no state of the runtime's. */
async function holdsNothing(own: ContainerWorld, id: string): Promise<void> {
  expect(existsSync(scratch.path('runtime', id))).toBe(false);
  expect((await own.leftovers()).filter((path) => path.startsWith('/sys/fs/cgroup') && path.includes(id))).toEqual([]);
  expect(own.context.locks.size).toBe(0);
}

/** Finds that a container is made, cannot be started, says why in both places, and leaves nothing. */
async function refuses(own: ContainerWorld, sandbox: string, config: Partial<ContainerConfig>): Promise<string> {
  const id = await own.create(sandbox, config);
  expect(own.get(id).status.state).toBe('unstartable');
  await holdsNothing(own, id);
  expect(await own.log(id)).toEqual([]);
  const error = await rejection(startContainer(own.context, id));
  expect(error.code).toBe('failed-precondition');
  const { message, ...status } = await own.exit(id);
  expect(status).toEqual({
    ...{ state: 'exited', exitCode: 128, reason: 'StartError', finishedAt: expect.stringMatching(/^\d+$/) },
  });
  expect(describeError(error)).toBe(`container "${id}" cannot be started: ${message}`);
  expect((await rejection(startContainer(own.context, id))).message).toBe(`container "${id}" is exited, not created`);
  await removeContainer(own.context, id);
  return message;
}

async function worldOf(options: ContainerWorldOptions = {}): Promise<{ own: ContainerWorld; sandbox: string }> {
  const own = await ContainerWorld.make(scratch, options);
  return { own, sandbox: await own.sandbox() };
}

describe('a container whose process cannot be what it is to be is made, and has exited once it is started', () => {
  it('for what the runtime says of the process', async () => {
    const { own, sandbox } = await worldOf();
    await writeFile(scratch.path('image', 'etc', 'data'), '', { mode: 0o644 });
    const cases: readonly (readonly [Partial<ContainerConfig>, RegExp])[] = [
      [MISSING, /exec: "no-such-program": executable file not found/],
      [{ command: ['/etc'] }, /"\/etc"/],
      [{ command: ['/etc/data'] }, /exec: "\/etc\/data": permission denied/],
      [{ workingDir: '/etc/passwd' }, /not a directory/],
      ...Array.from(
        { length: 12 },
        (_, fd) => [{ workingDir: `/proc/self/fd/${fd}` }, /\/proc\/self\/fd|working directory/] as const,
      ),
    ];
    for (const [config, reason] of cases) expect(await refuses(own, sandbox, config)).toMatch(reason);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('for what its image has not', async () => {
    const { own, sandbox } = await worldOf({ image: { cmd: [], entrypoint: [], user: 'nobody-here' } });
    const security = { ...SECURITY, username: 'ghost' };
    expect(await refuses(own, sandbox, { security })).toContain('/etc/passwd has no user "ghost"');
    expect(await refuses(own, sandbox, {})).toContain('/etc/passwd has no user "nobody-here"');
    expect(await refuses(own, sandbox, { security: { ...SECURITY, uid: 0 } })).toContain('no command');
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('for account files that the runtime would wait for, without waiting', async () => {
    const { own, sandbox } = await worldOf();
    await rm(scratch.path('image', 'etc', 'passwd'));
    await symlink('/proc/kmsg', scratch.path('image', 'etc', 'passwd'));
    const link = "the container's /etc/passwd, a link to /proc/kmsg, is no regular file";
    expect(await refuses(own, sandbox, {})).toBe(link);
    mknodSync(scratch.path('fifo'), 0o010644, { major: 0, minor: 0 });
    const over = { containerPath: '/etc/group', hostPath: scratch.path('fifo') };
    const mounts = [{ ...over, readonly: true, propagation: 'private' as const }];
    expect(await refuses(own, sandbox, { mounts })).toBe(link);
    await rm(scratch.path('image', 'etc', 'passwd'));
    expect(await refuses(own, sandbox, { mounts })).toBe("the container's /etc/group is no regular file");
  });

  it('but what is wrong with the request is told at once', async () => {
    const { own, sandbox } = await worldOf();
    const mount = { containerPath: '/x', hostPath: '/etc/passwd/x', readonly: false, propagation: 'private' } as const;
    const security = { ...SECURITY, username: 'ghost' };
    expect((await rejection(own.create(sandbox, { mounts: [mount], security }))).code).not.toBe('unstartable');
    const resources = { ...NO_LIMITS, cpusetCpus: '4000' };
    expect((await rejection(own.create(sandbox, { resources }))).code).toBe('invalid-argument');
  });
});

describe('until it is started it is like any that was created', () => {
  it('through a restart, for the same request, and for new limits', async () => {
    const { own, sandbox } = await worldOf();
    const request = { sandboxId: sandbox, config: containerConfig(MISSING), digest: 'd' };
    const id = await createContainer(own.context, request);
    const context = await own.restart();
    expect(await createContainer(context, request)).toBe(id);
    await updateContainer(context, id, { ...NO_LIMITS, cpuShares: 77 });
    expect(own.get(id).status).toMatchObject({ state: 'unstartable', resources: { cpuShares: 77 } });
    expect((await rejection(startContainer(context, id))).message).toContain(REASON);
    expect(await own.exit(id)).toMatchObject({ exitCode: 128, resources: { cpuShares: 77 } });
    await own.restart();
    expect(own.get(id).status).toMatchObject({ state: 'exited', reason: 'StartError' });
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it.each<[string, (own: ContainerWorld, id: string, sandbox: string) => Promise<void>]>([
    ['a stop', (own, id) => stopContainer(own.context, id, 10)],
    ['the end of its pod', (own, _, sandbox) => killContainersOf(own.context, sandbox)],
  ])('and ends by %s', async (_, end) => {
    const { own, sandbox } = await worldOf();
    const id = await own.create(sandbox, MISSING);
    await end(own, id, sandbox);
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 128, reason: 'StartError' });
  });

  it('and may be removed', async () => {
    const { own, sandbox } = await worldOf();
    const id = await own.create(sandbox, MISSING);
    await removeContainer(own.context, id);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});

describe('a runtime that fails to start what it has made', () => {
  const failing = (body: string) =>
    scratch.script('runtime.sh', `case " $* " in *" start "*) [ ! -e ${scratch.path('broken')} ] || ${body};; esac; exec ${RUNC} "$@"`); // prettier-ignore

  it.each([
    ['echo "the moon is wrong" >&2; exit 1', 'the moon is wrong'],
    ['exec sleep 60', 'the deadline passed'],
  ])('leaves it ended, with the reason: %s', async (body, reason) => {
    const runtimePath = await failing(`{ ${body}; }`);
    const { own, sandbox } = await worldOf({ runtimePath, timeoutMs: 3_000 });
    const id = await own.create(sandbox);
    const { status } = own.get(id);
    await writeFile(scratch.path('broken'), '');
    expect(describeError(await rejection(startContainer(own.context, id)))).toContain(reason);
    expect(await own.exit(id)).toMatchObject({ exitCode: 128, reason: 'StartError' });
    expect((await own.exit(id)).message).toContain(reason);
    await until(() => status.state === 'created' && !isAlive(status.processes.init));
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('says nothing of one that had ended before', async () => {
    const { own, sandbox } = await worldOf();
    const id = await own.create(sandbox);
    await stopContainer(own.context, id, 0);
    expect(await own.exit(id)).toMatchObject({ exitCode: 137, reason: 'Error' });
  });
});
