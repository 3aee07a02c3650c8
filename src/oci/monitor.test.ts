import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { endProcess, identify, isAlive, readProcess, watchExit } from '../base/sys/process.js';
import { rejection, useScratch } from '../base/testing.js';
import { cgroupDirsOf, OwnCgroup } from './cgroup.js';
import { Monitor, readExit, type MonitoredContainer } from './monitor.js';
import type { RuntimeOptions } from './runtime.js';
import { CONMON, makeBundle, makeRootfs, minimalSpec, ownCgroupParent, ownRuntime } from './testing.js';

const scratch = useScratch('monitor');

interface Wish {
  readonly args: readonly string[];
  readonly runtime?: Partial<RuntimeOptions>;
  readonly container?: Partial<MonitoredContainer>;
  readonly conmon?: string;
}

async function prepare({ args, runtime: options = {}, container: more = {}, conmon = CONMON }: Wish) {
  const parent = ownCgroupParent(scratch);
  const runtime = ownRuntime(scratch, options);
  const rootfs = await makeRootfs(scratch.path('rootfs'));
  const terminal = more.terminal ?? false;
  const bundle = await makeBundle(
    scratch,
    'one',
    minimalSpec(rootfs, `${parent}/one`, { process: { args, terminal } }),
  );
  await mkdir(scratch.path('persist'));
  const cgroup = await OwnCgroup.make(`${parent}/monitors`);
  const container: MonitoredContainer = {
    ...{
      id: 'one',
      sandboxId: 'pod',
      name: 'n',
      process: { program: args[0] ?? '', cwd: '/' },
      bundle,
      persistDir: scratch.path('persist'),
      log: { directory: scratch.root, path: 'a:b/log:1' },
    },
    ...{ terminal, stdin: false, leaveStdinOpen: false },
    ...more,
  };
  const monitor = new Monitor({ path: conmon, cgroup });
  // Whatever happens, no conmon may outlive the test.
  scratch.defer(async () => {
    const pid = Number(await readFile(`${bundle}/conmon.pid`, 'utf8').catch(() => '0'));
    const process = identify(pid);
    if (process !== undefined) await endProcess(process);
  });
  return { create: () => monitor.create(container, runtime), runtime, container, parent, bundle };
}

/** Processes that have the test's directory on their command line. */
async function strays(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && identify(Number(name)) !== undefined);
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(scratch.root));
}

describe('a monitored container', () => {
  it('has a log in the format of CRI and an exit code, for those who look later too', async () => {
    const script = 'echo out; echo err >&2; printf partial; exit 7';
    const { create, runtime, container } = await prepare({ args: ['sh', '-c', script] });
    const { init, monitor } = await create();
    expect([isAlive(init), isAlive(monitor)]).toEqual([true, true]);
    expect(readProcess(init.pid)?.parent).toBe(monitor.pid);
    expect(await readExit(container)).toBeUndefined();

    await runtime.start('one');
    await watchExit(monitor).ended;

    expect(isAlive(init)).toBe(false);
    expect(await readExit(container)).toMatchObject({ exitCode: 7, oomKilled: false });
    const afterReboot = { ...container, bundle: scratch.path('nothing') };
    expect(await readExit(afterReboot)).toMatchObject({ exitCode: 7, oomKilled: false });
    const lines = (await readFile(scratch.path('a:b', 'log:1'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) /, '')).sort()).toEqual([
      'stderr F err',
      'stdout F out',
      'stdout P partial',
    ]);
  });

  it('lives apart from the daemon: conmon in its own cgroup, session and with no file of ours', async () => {
    const { create, parent } = await prepare({ args: ['sleep', '60'] });
    const { init, monitor } = await create();
    const within = (pid: number): string[] => cgroupDirsOf(pid).filter((dir) => dir.includes(parent));
    expect(within(monitor.pid).every((dir) => dir.endsWith('/monitors'))).toBe(true);
    expect(within(init.pid).some((dir) => dir.endsWith('/one'))).toBe(true);
    expect(readProcess(monitor.pid)?.session).not.toBe(readProcess(process.pid)?.session);
    expect(readProcess(monitor.pid)?.parent).not.toBe(process.pid);
  });

  it('tells a signal as shells do', async () => {
    const { create, container } = await prepare({ args: ['sleep', '60'] });
    const { init, monitor } = await create();
    await endProcess(init);
    await watchExit(monitor).ended;
    expect(await readExit(container)).toMatchObject({ exitCode: 137, oomKilled: false });
  });

  it('needs no log, and can have a terminal', async () => {
    const container = { log: undefined, terminal: true } as const;
    const { create, runtime } = await prepare({ args: ['sh', '-c', 'test -t 0 && exit 3'], container });
    const { monitor } = await create();
    await runtime.start('one');
    await watchExit(monitor).ended;
    expect(await readExit({ id: 'one', bundle: scratch.path('bundles', 'one'), persistDir: '' })).toMatchObject({
      exitCode: 3,
    });
  });
});

describe('a creation that fails', () => {
  it('says what the runtime said, and leaves no process', async () => {
    const { create } = await prepare({ args: ['no-such-program'] });
    const error = await rejection(create());
    expect(error.code).toBe('unstartable');
    expect(error.message).toMatch(
      /^runtime handler "test": create "one": .*"no-such-program": executable file not found/,
    );
    expect(await strays()).toEqual([]);
  });

  it('says what a runtime without a log said', async () => {
    const path = await scratch.script('refuse', 'echo the moon is wrong >&2; exit 1');
    const { create } = await prepare({ args: ['sleep', '60'], runtime: { path } });
    expect((await rejection(create())).message).toContain('the moon is wrong');
    expect(await strays()).toEqual([]);
  });

  it('ends at the deadline when the runtime hangs, and ends conmon and all below it', async () => {
    const path = await scratch.script('hang', `echo '{"level":"error","msg":"stuck"}' > runtime.log; sleep 60`);
    const { create } = await prepare({ args: ['sleep', '60'], runtime: { path, timeoutMs: 500 } });
    const error = await rejection(create());
    expect(error).toMatchObject({ code: 'deadline-exceeded' });
    expect(error.message).toBe('runtime handler "test": create "one": conmon: the deadline passed: stuck');
    expect(await strays()).toEqual([]);
  });

  it('says that there is no conmon', async () => {
    const { create } = await prepare({ args: ['sleep', '60'], conmon: '/no/such/conmon' });
    expect(await rejection(create())).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('cannot start /no/such/conmon: '),
    });
  });

  it.each([
    ['exit 1', 'conmon ended without an answer'],
    ['echo oops >&2; exit 1', 'conmon ended without an answer oops'],
    ['echo nonsense >&3', 'conmon answered "nonsense'],
    [`echo '{"data":-1,"message":"no luck\\n"}' >&3`, 'no luck'],
    [`echo '{"data":-5}' >&3`, 'conmon answered -5'],
    [`echo '{}' >&3`, 'conmon answered undefined'],
  ])('understands a conmon that does `%s`', async (body, message) => {
    const conmon = await scratch.script('conmon', `cat <&4 >/dev/null; ${body}`);
    const { create } = await prepare({ args: ['sleep', '60'], conmon });
    expect((await rejection(create())).message).toContain(message);
  });

  it('does not let conmon go on outside its cgroup', async () => {
    const conmon = await scratch.script('conmon', `cat <&4 >/dev/null; touch ${scratch.path('went-on')}; sleep 60`);
    const { container, runtime, parent } = await prepare({ args: ['sleep', '60'], conmon });
    const gone = { add: () => OwnCgroup.make(`${parent}/x\0`).then(() => undefined) } as unknown as OwnCgroup;
    const error = await rejection(new Monitor({ path: conmon, cgroup: gone }).create(container, runtime));
    expect(error.message).toContain('create "one"');
    expect(existsSync(scratch.path('went-on'))).toBe(false);
    expect(await strays()).toEqual([]);
  });
});

describe('readExit', () => {
  const files = () => ({ bundle: scratch.path('b'), persistDir: scratch.path('p'), id: 'one' });

  async function write(name: string, text: string): Promise<void> {
    await mkdir(scratch.path('b'), { recursive: true });
    await mkdir(scratch.path('p'), { recursive: true });
    await writeFile(scratch.path(name), text);
  }

  it.each([
    ['b/exit', '0', 0],
    ['b/exit', '137\n', 137],
    ['p/one', '3', 3],
  ])('reads %s with %j', async (name, text, exitCode) => {
    await write(name, text);
    expect(await readExit(files())).toMatchObject({ exitCode, oomKilled: false });
  });

  it.each(['', 'x', '1 2', '1.5'])('takes %j for no exit', async (text) => {
    await write('b/exit', text);
    expect(await readExit(files())).toBeUndefined();
  });

  it.each(['', '13 7'])('looks at the second file where the first has %j, as on a full disk', async (text) => {
    await write('b/exit', text);
    await write('p/one', '7');
    expect(await readExit(files())).toMatchObject({ exitCode: 7 });
  });

  it('tells when it was written, not when it is read', async () => {
    await write('b/exit', '0');
    await utimes(scratch.path('b/exit'), 1_000.5, 1_000.5);
    expect(await readExit(files())).toMatchObject({ at: '1000500000000' });
  });

  it('knows of running out of memory', async () => {
    await write('b/exit', '137');
    await write('b/oom', '');
    expect(await readExit(files())).toMatchObject({ exitCode: 137, oomKilled: true });
  });
});
