import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';

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
import type { ContainerConfig, SecurityConfig } from './types.js';

const scratch = useScratch('create');

interface Failure {
  readonly code: string | undefined;
  readonly message: string;
}

/** Fails to create a container, and finds nothing left of it, though its sandbox goes on. */
async function failsIn(own: ContainerWorld, sandboxId: string, config: Partial<ContainerConfig>): Promise<Failure> {
  const before = await own.leftovers();
  const request = { sandboxId, config: containerConfig(config), digest: 'd' };
  const error = await rejection(createContainer(own.context, request));
  expect(await own.leftovers()).toEqual(before);
  expect(own.context.locks.size).toBe(0);
  return { code: error.code, message: describeError(error) };
}

/** The same in a world of its own, which is `broken` once its sandbox is there. */
async function fails(options: ContainerWorldOptions, config: Partial<ContainerConfig> = {}): Promise<Failure> {
  const own = await ContainerWorld.make(scratch.below(newId().slice(0, 8)), options);
  const sandboxId = await own.sandbox();
  await writeFile(scratch.path('broken'), '');
  const failure = await failsIn(own, sandboxId, config);
  await own.clear();
  expect(await own.leftovers()).toEqual([]);
  return failure;
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
  it('for whatever is wrong with the request', async () => {
    const security = (more: Partial<SecurityConfig>) => ({ security: { ...SECURITY, ...more } });
    const device = { hostPath: '/etc/passwd', containerPath: '/dev/x', permissions: '' };
    const mount = { containerPath: '/x', hostPath: '/etc/passwd/x', readonly: false, propagation: 'private' } as const;
    const cases: readonly (readonly [Partial<ContainerConfig>, RegExp])[] = [
      [{ image: 'ghost' }, /^not-found: image "ghost" does not exist$/],
      [{ logPath: '../x' }, /^invalid-argument: log_path "..\/x" leaves the log directory$/],
      [security({ addCapabilities: ['FLY'] }), /^invalid-argument: .*unknown capability "FLY"$/],
      [security({ pid: 'target', targetId: 'ghost' }), /^not-found: .*container "ghost" does not exist$/],
      [security({ privileged: true }), /^failed-precondition: .*takes no privileged containers$/],
      [{ devices: [device] }, /^invalid-argument: .*\/etc\/passwd is no device$/],
      [{ mounts: [mount], logPath: '' }, /: .*mount source \/etc\/passwd\/x/],
      [{ metadata: { name: 'x\0', attempt: 0 } }, /^invalid-argument: .*cannot start/],
      [{ resources: { ...NO_LIMITS, cpusetCpus: '4000' } }, /^invalid-argument: .*cpuset/],
    ];
    const own = await ContainerWorld.make(scratch);
    const sandboxId = await own.sandbox();
    for (const [config, expected] of cases) {
      const { code, message } = await failsIn(own, sandboxId, config);
      expect(`${code ?? ''}: ${message}`).toMatch(expected);
    }
  });

  it('for a runtime that leaves a cgroup behind', async () => {
    const made = scratch.path('made');
    const body = `while [ "$1" != --bundle ]; do shift; done
      path=$(grep -o '"cgroupsPath":"[^"]*"' "$2/config.json" | cut -d'"' -f4)
      roots=/sys/fs/cgroup/*/; [ ! -e /sys/fs/cgroup/cgroup.procs ] || roots=/sys/fs/cgroup
      for dir in $roots; do [ ! -e $dir/cgroup.procs ] || mkdir -p $dir$path/below; done
      echo $path > ${made}; exit 1`;
    await fails({ runtimePath: await wrapped('create', body) });
    expect(await readFile(made, 'utf8')).toMatch(/^\/gantry-unit-/);
  });

  it('when the image cannot be mounted', async () => {
    const images = { mountRootfs: () => Promise.reject(internal('no such layer')) };
    expect((await fails({ images })).message).toContain('no such layer');
  });

  it('when the log’s directory cannot be made', async () => {
    const own = await ContainerWorld.make(scratch);
    const sandboxId = await own.sandbox();
    await writeFile(scratch.path('logs'), '');
    expect((await failsIn(own, sandboxId, {})).message).toMatch(/File exists|Not a directory/);
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
    const error = await fails({ runtimePath: await wrapped('create', body), timeoutMs: 2_000 });
    expect(error.message).toContain(message);
  });

  it('when it cannot be published', async () => {
    const runtimePath = await wrapped('create', `$RUNC; r=$?; rm -r ${scratch.root}/*/root/containers/*; exit $r`);
    expect((await fails({ runtimePath })).message).toContain('create container');
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
    const failed = rejection(own.create(await own.sandbox(), { resources: { ...NO_LIMITS, cpusetCpus: '4000' } }));
    expect(describeError(await failed)).toContain('cpuset');
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
