import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { runOk } from '../../base/spawn.js';
import { MS } from '../../base/sys/calls.js';
import { mount, unmount } from '../../base/sys/sys.js';
import { hangingDirectory, rejection, useScratch } from '../../base/testing.js';
import type { ContainerMount } from '../../oci/spec/mounts.js';
import { ownRuntime, RUNC, testRuntimes } from '../../oci/testing.js';
import { checkDevicePaths, prepareHost } from './host-mounts.js';
import { containerConfig, ContainerWorld } from './testing.js';

const scratch = useScratch('host-mounts');
const SHARED = 1 << 20;
const SLAVE = 1 << 19;

const of = (hostPath: string, more: Partial<ContainerMount> = {}): ContainerMount => ({
  ...{ containerPath: '/data', hostPath, readonly: false, propagation: 'private' },
  ...more,
});

function prepareWith(path: string, mounts: readonly ContainerMount[], logDirectory?: string): Promise<void> {
  const runtimes = testRuntimes(scratch, { test: ownRuntime(scratch, { path }) });
  return prepareHost(runtimes, { handler: 'test', logDirectory, config: containerConfig({ mounts }) });
}

describe('what a container has of the host', () => {
  const prepare = (mounts: readonly ContainerMount[], logDirectory?: string): Promise<void> =>
    prepareWith(RUNC, mounts, logDirectory);

  beforeEach(async () => {
    await mkdir(scratch.path('point', 'below'), { recursive: true });
    await mount({ source: 'none', target: scratch.path('point'), type: 'tmpfs' });
    await mount({ source: 'none', target: scratch.path('point'), flags: MS.PRIVATE });
    scratch.defer(() => unmount(scratch.path('point'), { detach: true }));
    await mkdir(scratch.path('point', 'dir'));
    symlinkSync('point/dir', scratch.path('link'));
  });

  it('is made where it is missing', async () => {
    await prepare([of(scratch.path('a', 'b')), of(scratch.path('a', 'b'))], scratch.path('logs', 'pod'));
    expect([existsSync(scratch.path('a', 'b')), existsSync(scratch.path('logs', 'pod'))]).toEqual([true, true]);
  });

  it.each([
    ['a private mount', MS.PRIVATE, 'host-to-container', 'a shared or slave mount'],
    ['a private mount', MS.PRIVATE, 'bidirectional', 'a shared mount'],
    ['a slave mount', SLAVE, 'bidirectional', 'a shared mount'],
    ['a slave mount', SLAVE, 'host-to-container', undefined],
    ['a shared mount', SHARED, 'host-to-container', undefined],
    ['a shared mount', SHARED, 'bidirectional', undefined],
    ['a private mount', MS.PRIVATE, 'private', undefined],
  ] as const)('may be below %s (%d) for one that is %s: %s', async (_, flags, propagation, needed) => {
    // A slave has a master only if it was its peer before.
    const target = scratch.path('point');
    await mount({ source: 'none', target, flags: SHARED });
    if (flags === SLAVE) {
      await mkdir(scratch.path('peer'));
      await mount({ source: target, target: scratch.path('peer'), flags: MS.BIND });
      scratch.defer(() => unmount(scratch.path('peer'), { detach: true }));
    }
    await mount({ source: 'none', target, flags });
    for (const path of [scratch.path('link'), scratch.path('point', 'dir')]) {
      const prepared = prepare([of(path, { propagation })]);
      if (needed === undefined) await prepared;
      else
        expect(await rejection(prepared)).toMatchObject({
          code: 'failed-precondition',
          message: `mount source ${path} is on ${target}, which is not ${needed}`,
        });
    }
  });

  it('is refused where the handler cannot do it', async () => {
    const path = await scratch.script('runtime', `echo '{}'`);
    const recursive = of('/', { readonly: true, recursiveReadOnly: true });
    const failed = rejection(prepareWith(path, [recursive]));
    expect(await failed).toMatchObject({
      code: 'unimplemented',
      message: `runtime handler "test" has no recursive read-only mounts: ${path} does not have it`,
    });
  });
});

describe('a device', () => {
  it('on a file system that hangs fails its container alone', async () => {
    const hostPath = `${await hangingDirectory(scratch)}/device`;
    const failed = checkDevicePaths([{ hostPath: '/dev/null' }, { hostPath }], { timeoutMs: 300 });
    expect(await rejection(failed)).toMatchObject({
      code: 'deadline-exceeded',
      message: `device ${hostPath} does not answer: its file system hangs`,
    });
  });
});

describe('a container', () => {
  it('has mounts that are read-only with what is below, or without', async () => {
    const own = await ContainerWorld.make(scratch);
    const sandbox = await own.sandbox();
    const dir = scratch.path('volume');
    await mkdir(`${dir}/tmpfs`, { recursive: true });
    await mount({ source: 'none', target: `${dir}/tmpfs`, type: 'tmpfs' });
    scratch.defer(() => unmount(`${dir}/tmpfs`));
    const mounts = [
      of(dir, { readonly: true, containerPath: '/ro' }),
      of(dir, { readonly: true, recursiveReadOnly: true, containerPath: '/rro' }),
    ];
    const script = 'for f in /ro/x /ro/tmpfs/x /rro/x /rro/tmpfs/y; do touch $f && echo $f; done; echo end';
    const id = await own.run(sandbox, script, { mounts });
    await own.exit(id);
    const { log } = { log: await own.log(id) };
    expect(log.filter((line) => line.startsWith('stdout'))).toEqual(['stdout F /ro/tmpfs/x', 'stdout F end']);
    expect(log.filter((line) => line.includes('Read-only file system'))).toHaveLength(3);
    await own.clear();
  });

  it('passes mounts on to the host and takes them from there', async () => {
    const own = await ContainerWorld.make(scratch);
    const sandbox = await own.sandbox();
    const dir = scratch.path('shared');
    await mkdir(dir);
    await mount({ source: 'none', target: dir, type: 'tmpfs' });
    scratch.defer(() => unmount(dir, { detach: true }));
    await mount({ source: 'none', target: dir, flags: SHARED });
    await mkdir(`${dir}/late`);
    const mounts = [of(dir, { propagation: 'host-to-container' })];
    const id = await own.run(sandbox, 'exec sleep 60', { mounts });
    await mount({ source: 'none', target: `${dir}/late`, type: 'tmpfs' });
    scratch.defer(() => unmount(`${dir}/late`));
    const { status } = own.get(id);
    const pid = status.state === 'running' ? status.processes.init.pid : 0;
    expect(readFileSync(`/proc/${pid}/mounts`, 'utf8')).toContain(' /data/late tmpfs');
    await runOk(RUNC, ['--root', scratch.path('runtime'), 'exec', id, 'cat', '/proc/mounts'], { timeoutMs: 10_000 });
    await own.clear();
  });
});
