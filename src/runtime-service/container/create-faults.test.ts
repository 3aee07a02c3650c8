import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { describeError, internal } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { unmount } from '../../base/sys/sys.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { RUNC } from '../../oci/testing.js';
import { stopSandbox } from '../../sandbox/stop.js';
import { createContainer } from './create.js';
import { removeContainer } from './remove.js';
import { ContainerWorld, containerConfig, SECURITY, type ContainerWorldOptions } from './testing.js';
import type { ContainerConfig } from './types.js';

const scratch = useScratch('create');

/** Fails to create a container, and finds nothing left of it, though its sandbox goes on. */
async function fails(
  options: ContainerWorldOptions & { readonly prepare?: (own: ContainerWorld) => Promise<unknown> },
  config: Partial<ContainerConfig> = {},
) {
  const own = await ContainerWorld.make(scratch.below(newId().slice(0, 8)), options);
  const sandboxId = await own.sandbox();
  const before = await own.leftovers();
  await options.prepare?.(own);
  const request = { sandboxId, config: containerConfig(config), digest: 'd' };
  const error = await rejection(createContainer(own.context, request));
  expect(await own.leftovers()).toEqual(before);
  expect(own.context.locks.size).toBe(0);
  await own.clear();
  expect(await own.leftovers()).toEqual([]);
  return { code: error.code, message: describeError(error) };
}

/** runc, but for one verb of containers, where `body` runs in its place; `$RUNC` is the real command. */
async function wrapped(verb: string, body: string): Promise<string> {
  // Only once the sandbox is there.
  const broken = scratch.path('broken');
  return scratch.script(
    'runtime.sh',
    `RUNC="${RUNC} $*"\n[ -e ${broken} ] || exec $RUNC\ncase " $* " in *" ${verb} "*) ${body};; *) exec $RUNC;; esac`,
  );
}

describe('a creation that fails leaves nothing', () => {
  it('for want of an image', async () => {
    expect(await fails({}, { image: 'ghost' })).toEqual({ code: 'not-found', message: 'image "ghost" does not exist' });
  });

  it('for a bad log path or stop signal', async () => {
    expect((await fails({}, { logPath: '../x' })).code).toBe('invalid-argument');
    expect((await fails({ image: { stopSignal: 'SIGNONE' } })).code).toBe('failed-precondition');
  });

  it('when the image cannot be mounted, or only half', async () => {
    const images = { mountRootfs: () => Promise.reject(internal('no such layer')) };
    expect((await fails({ images })).message).toContain('no such layer');
  });

  it('for a user that the image does not have', async () => {
    const error = await fails({}, { security: { ...SECURITY, username: 'ghost' } });
    expect(error).toMatchObject({ code: 'failed-precondition', message: expect.stringContaining('"ghost"') });
  });

  it('for want of a command', async () => {
    const error = await fails({ image: { cmd: [], entrypoint: [] } });
    expect(error).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('no command') });
  });

  it('for a command that the image does not have', async () => {
    expect((await fails({}, { command: ['no-such-program'] })).message).toContain('"no-such-program"');
  });

  it('for a capability or device that is none', async () => {
    const security = { ...SECURITY, addCapabilities: ['FLY'] };
    expect((await fails({}, { security })).message).toContain('unknown capability "FLY"');
    const devices = [{ hostPath: '/etc/passwd', containerPath: '/dev/x', permissions: '' }];
    expect((await fails({}, { devices })).message).toContain('/etc/passwd is no device');
  });

  it('for a target that does not run', async () => {
    const security = { ...SECURITY, pid: 'target', targetId: 'ghost' } as const;
    expect((await fails({}, { security })).code).toBe('not-found');
  });

  it('for limits that the kernel refuses', async () => {
    const error = await fails({}, { resources: { ...NO_LIMITS, cpusetCpus: '4000' } });
    expect(error.code).toBe('internal');
  });

  it('when the log’s directory or a mount’s source cannot be made', async () => {
    const prepare = (own: ContainerWorld): Promise<void> => writeFile(own.scratch.path('logs'), '');
    expect((await fails({ prepare })).message).toMatch(/EEXIST|ENOTDIR/);
    const mounts = [
      { containerPath: '/x', hostPath: '/etc/passwd/x', readonly: false, propagation: 'private' } as const,
    ];
    expect((await fails({}, { mounts, logPath: '' })).message).toContain('mount source /etc/passwd/x');
  });

  it('for want of a monitor', async () => {
    expect((await fails({ conmon: '/no/such/conmon' })).code).toBe('unavailable');
  });

  it.each([
    ['echo broken >&2; exit 1', 'broken'],
    ['$RUNC; exit 1', ''],
    ['sleep 60', 'the deadline passed'],
    ['$RUNC; sleep 60', 'the deadline passed'],
  ])('when the runtime does `%s`', async (body, message) => {
    const runtimePath = await wrapped('create', body);
    const prepare = (): Promise<void> => writeFile(scratch.path('broken'), '');
    const error = await fails({ runtimePath, timeoutMs: 1_500, prepare });
    expect(error.message).toContain(message);
  });

  it('when it cannot be published', async () => {
    const runtimePath = await wrapped('create', `$RUNC; r=$?; rm -r ${scratch.root}/*/root/containers/*; exit $r`);
    const prepare = (): Promise<void> => writeFile(scratch.path('broken'), '');
    expect((await fails({ runtimePath, prepare })).message).toContain('create container');
  });
});

describe('a sandbox that ends meanwhile', () => {
  it('takes the container under way with it', async () => {
    const runtimePath = await wrapped('create', `touch ${scratch.path('creating')}; sleep 0.3; exec $RUNC`);
    const own = await ContainerWorld.make(scratch, { runtimePath });
    const sandboxId = await own.sandbox();
    await writeFile(scratch.path('broken'), '');
    const creation = rejection(createContainer(own.context, { sandboxId, config: containerConfig(), digest: 'd' }));
    await until(() => existsSync(scratch.path('creating')));
    await stopSandbox(own.world.context, sandboxId);
    // What is said depends on how far it came: the namespaces that it joins may be gone.
    expect((await creation).message).toContain(`in sandbox "${sandboxId}"`);
    expect(own.context.store.list()).toEqual([]);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});

describe('a way back that fails', () => {
  it('keeps the record, and harms nothing that is still mounted', async () => {
    let stuck = true;
    const images = {
      unmountRootfs: async ({ target }: { readonly target: string }) => {
        if (stuck) throw internal('busy');
        await unmount(target, { detach: true });
      },
    };
    const own = await ContainerWorld.make(scratch, { images });
    await mkdir(scratch.path('image', 'precious'));
    const failed = rejection(own.create(await own.sandbox(), { command: ['no-such-program'] }));
    expect(describeError(await failed)).toContain('no-such-program');
    expect(own.context.retries.waiting).toEqual(['rootfs', 'bundle', 'record']);
    const [{ record, status } = { record: { id: '' }, status: { state: '' } }] = own.context.store.list();
    expect(status.state).toBe('creating');
    expect(existsSync(scratch.path('state', 'containers', record.id, 'rootfs', 'precious'))).toBe(true);
    stuck = false;
    await own.context.retries.retry();
    expect(own.context.store.list()).toEqual([]);
    await removeContainer(own.context, record.id);
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});
