import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { MINIMAL_ENV, run, start } from '../../src/base/spawn.js';
import { waitFor } from '../harness/wait.js';

const DIR = join(PROJECT_ROOT, 'e2e', 'vm');

/** It comes with the packages of `make test-e2e`. */
const withVm = existsSync('/usr/bin/linux.uml') ? describe : describe.skip;

describe('the VM’s scripts', () => {
  it.each([
    ['run-vm', [], 'run-vm [-d DISK]'],
    ['run-vm', ['-x', 'true'], 'illegal option'],
    ['test-vm', ['some'], 'usage: test-vm short|all [VARIANT…]'],
    ['test-vm', ['short', 'x'], 'unknown variant "x"'],
  ])('%s %j says how it is called', async (script, args, said) => {
    const { exitCode, stderr } = await run(join(DIR, script), args, { timeoutMs: 10_000 });
    expect(exitCode).toBe(2);
    expect(stderr.toString()).toContain(said);
  });
});

withVm('run-vm', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-vm-test-'));
  });
  afterEach(async () => {
    expect(await processes()).toEqual([]);
    await rm(dir, { recursive: true });
  });

  const env = (): Record<string, string> => ({ ...MINIMAL_ENV, TMPDIR: dir });

  async function vm(...args: string[]): Promise<{ code: number; console: string }> {
    const { exitCode, stdout } = await run(join(DIR, 'run-vm'), args, { timeoutMs: 110_000, env: env(), cwd: '/usr' });
    return { code: exitCode, console: stdout.toString() };
  }

  /** Command lines that name the directory: all of the VM's do. */
  async function processes(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    return lines.filter((line) => line.includes(dir)).map((line) => line.replaceAll('\0', ' '));
  }

  it('runs a command on cgroup v2 under systemd, where it was called, and ends with its exit code', async () => {
    const script = 'pwd; cat /sys/fs/cgroup/cgroup.controllers; cat /proc/1/comm; echo "$0" > $OUT/said; exit 7';
    const { code, console } = await vm('-o', join(dir, 'out'), 'bash', '-c', script, 'two words');
    expect(code).toBe(7);
    expect(console).toMatch(/^\/usr$/m);
    expect(console).toMatch(/^cpu.* memory pids$/m);
    expect(console).toMatch(/^systemd$/m);
    expect(await readFile(join(dir, 'out', 'said'), 'utf8')).toBe('two words\n');
    expect(await readdir(dir)).toEqual(['out']);
  });

  it('keeps what is on the disk, and nothing of the rest', async () => {
    const file = join('/usr', 'local', 'lib', `of-${dir.slice(-6)}`);
    const disk = join(dir, 'disk');
    expect((await vm('-d', disk, 'bash', '-c', `touch ${file} $STATE/kept`)).code).toBe(0);
    expect(existsSync(file)).toBe(false);
    expect((await vm('-d', disk, 'bash', '-c', `[ -e $STATE/kept ] && [ ! -e ${file} ]`)).code).toBe(0);
  });

  it('cuts off what lasts too long', async () => {
    expect((await vm('-t', '10', 'sleep', '1000')).code).toBe(124);
    expect(await readdir(dir)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('leaves no process at %s', async (signal) => {
    const args = ['-o', join(dir, 'out'), 'bash', '-c', 'touch $OUT/up; sleep 1000'];
    const child = start(join(DIR, 'run-vm'), args, { stdio: 'ignore', env: env() });
    await waitFor('start of the VM', 60_000, () => Promise.resolve(existsSync(join(dir, 'out', 'up')) || undefined));
    child.kill(signal);
    await waitFor('end of the VM', 10_000, async () => ((await processes()).length === 0 ? true : undefined));
  });
});
