import { mkdir, rm, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { describeError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { rejection, useScratch } from '../base/testing.js';
import { RUNC } from '../oci/testing.js';
import { pauseProvider } from './pause-provider.js';
import { recoverSandboxes } from './recover.js';
import { removeSandbox } from './remove.js';
import { runSandbox } from './run.js';
import { pauseOf, podConfig, World, type WorldOptions } from './testing.js';
import type { SandboxConfig } from './types.js';

const scratch = useScratch('faults');

/** Fails to run a sandbox, finds nothing left, and then succeeds with the same name once `repair` was done. */
async function failsAndLeavesNothing(
  world: World,
  more: Partial<SandboxConfig> = {},
  repair?: () => Promise<unknown>,
): Promise<{ readonly code: string | undefined; readonly message: string }> {
  const config = podConfig(more);
  const error = await rejection(runSandbox(world.context, config, 'digest'));
  expect(error.message).toMatch(/^(run sandbox of pod shop\/web|runtime handler|sysctl)/);
  expect(await world.leftovers()).toEqual([]);
  expect(world.context.locks.size).toBe(0);
  if (repair !== undefined) {
    await repair();
    const id = await runSandbox(world.context, config, 'digest');
    await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  }
  return { code: error.code, message: describeError(error) };
}

const make = (options: WorldOptions = {}): Promise<World> => World.make(scratch, options);

/** runc, but for one verb, where `body` runs in its place; `$RUNC` is the real command. */
function wrapped(verb: string, body: string): Promise<string> {
  return scratch.script(
    'runtime.sh',
    `RUNC="${RUNC} $*"\ncase " $* " in *" ${verb} "*) ${body};; *) exec $RUNC;; esac`,
  );
}

describe('refused before anything is made', () => {
  it('an unknown handler', async () => {
    const error = await failsAndLeavesNothing(await make(), { runtimeHandler: 'kata' });
    expect(error).toMatchObject({ code: 'not-found', message: expect.stringContaining('"kata" is not configured') });
  });

  it('a sysctl of the node', async () => {
    const error = await failsAndLeavesNothing(await make(), { sysctls: { 'vm.swappiness': '1' } });
    expect(error).toMatchObject({ code: 'invalid-argument' });
  });
});

describe('a step that fails leaves nothing', () => {
  it('the record', async () => {
    const world = await make();
    const dir = scratch.path('root', 'sandboxes');
    await rm(dir, { recursive: true });
    await writeFile(dir, '');
    expect((await rejection(runSandbox(world.context, podConfig(), newId()))).message).toContain(
      'run sandbox of pod shop/web',
    );
    await rm(dir);
    await mkdir(dir);
    await world.context.retries.retry();
    expect(await world.leftovers()).toEqual([]);
  });

  it('the sandbox’s directory', async () => {
    const world = await make();
    await mkdir(scratch.path('state'));
    await writeFile(scratch.path('state', 'sandboxes'), '');
    const error = await failsAndLeavesNothing(world, {}, () => rm(scratch.path('state', 'sandboxes')));
    expect(error.message).toContain(scratch.path('state', 'sandboxes'));
  });

  it('resolv.conf', async () => {
    const error = await failsAndLeavesNothing(await make(), { dns: { servers: ['a b'], searches: [], options: [] } });
    expect(error).toMatchObject({ code: 'invalid-argument' });
  });

  it('the network namespace', async () => {
    const world = await make();
    await writeFile(scratch.path('netns'), '');
    const error = await rejection(runSandbox(world.context, podConfig(), newId()));
    expect(describeError(error)).toContain(scratch.path('netns'));
    await rm(scratch.path('netns'));
    await world.context.retries.retry();
    expect(await world.leftovers()).toEqual([]);
  });

  it('the network', async () => {
    const world = await make();
    await scratch.script('broken', `[ "$CNI_COMMAND" != ADD ] || { echo '{"code":100,"msg":"no luck"}'; exit 1; }`);
    await world.network([{ type: 'broken' }]);
    await world.restart();
    const error = await failsAndLeavesNothing(world, {}, async () => {
      await world.network();
      await world.restart();
    });
    expect(error.message).toContain('no luck');
  });

  it('the pause image', async () => {
    const unpullable = {
      resolve: () => ({ id: 'x', config: { entrypoint: [], cmd: [], env: [] } }),
      pull: () => Promise.resolve(),
      mountRootfs: () => Promise.reject(new RangeError('no such layer')),
      unmountRootfs: () => Promise.resolve(),
      adopt: () => undefined,
      adoptUnknown: () => undefined,
    };
    const world = await make({ pause: pauseProvider({ image: 'pause', command: '' }, unpullable) });
    expect((await failsAndLeavesNothing(world)).message).toContain('run sandbox of pod shop/web');
  });

  it('the pause program', async () => {
    const world = await make({ pause: pauseOf('/no/such/pause') });
    expect((await failsAndLeavesNothing(world)).message).toContain('/no/such/pause');
  });

  it('a runtime that is not there', async () => {
    const error = await failsAndLeavesNothing(await make({ runtimePath: '/no/such/runc' }));
    expect(error.code).toBe('unavailable');
  });

  it.each([
    ['create', 'echo broken >&2; exit 1', 'create'],
    ['create', '$RUNC; exit 1', 'create'],
    ['create', '$RUNC; rm -f pid', 'pid'],
    ['start', 'echo cannot start >&2; exit 1', 'cannot start'],
    ['start', '$RUNC; echo late trouble >&2; exit 1', 'late trouble'],
  ])('the runtime’s %s that does `%s`', async (verb, body, message) => {
    const world = await make({ runtimePath: await wrapped(verb, body) });
    const error = await failsAndLeavesNothing(world, {}, () => wrapped('no-verb', ':'));
    expect(error.message).toContain(message);
  });

  it('a runtime that hangs', async () => {
    const path = await wrapped('create', '$RUNC; sleep 60');
    const world = await make({ runtimePath: path, timeoutMs: 2_000 });
    expect((await failsAndLeavesNothing(world)).code).toBe('deadline-exceeded');
  });

  it('a sysctl that the kernel refuses', async () => {
    const world = await make();
    const error = await failsAndLeavesNothing(world, { sysctls: { 'net.ipv4.ip_default_ttl': 'many' } });
    expect(error.message).toContain('write "many" to /proc/sys/net/ipv4/ip_default_ttl: EINVAL');
    const missing = await failsAndLeavesNothing(world, { sysctls: { 'net.no.such': '1' } });
    expect(missing.message).toContain('/proc/sys/net/no/such: ENOENT');
  });

  it('the cgroup', async () => {
    const error = await failsAndLeavesNothing(await make(), { cgroupParent: '/../x' });
    expect(error).toMatchObject({ code: 'invalid-argument' });
  });

  it('the publication', async () => {
    const world = await make({
      runtimePath: await wrapped('start', `$RUNC; rm -r ${scratch.path('root/sandboxes/*')}`),
    });
    const error = await failsAndLeavesNothing(world, {}, () => wrapped('no-verb', ':'));
    expect(error.message).toContain('run sandbox of pod shop/web');
  });
});

describe('a way back that fails', () => {
  it('is tried again, and the record stays for the next start', async () => {
    const stuck = `[ "$CNI_COMMAND" = VERSION ] || [ -e ${scratch.path('well')} ] || exit 1`;
    const world = await make();
    const script = (body: string) => scratch.script('broken', `cat >/dev/null; ${body}; echo '{"cniVersion":"1.0.0"}'`);
    await script(stuck);
    await world.network([{ type: 'broken' }]);
    await world.restart();
    const error = await rejection(runSandbox(world.context, podConfig(), newId()));
    expect(describeError(error)).toContain('cni plugin "broken" ADD');
    expect(world.context.retries.waiting).toEqual(['network', 'record']);
    expect(world.context.store.list()).toMatchObject([{ status: { state: 'creating' } }]);

    const context = await world.restart();
    await recoverSandboxes(context);
    await context.retries.idle();
    const [id = ''] = context.store.list().map(({ record }) => record.id);
    expect(context.retries.waiting).toEqual([`sandbox ${id}`]);
    await writeFile(scratch.path('well'), '');
    await context.retries.retry();
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('a pause that ends at once', () => {
  it('leaves a sandbox that is not ready', async () => {
    const world = await make({ pause: pauseOf('/bin/busybox') });
    // busybox knows no applet of the name "pause".
    const id = await runSandbox(world.context, podConfig(), newId());
    await world.reaches(id, 'not-ready');
    await removeSandbox(world.context, id);
    expect(await world.leftovers()).toEqual([]);
  });
});
