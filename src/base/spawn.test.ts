import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { bounded, commandLine, endOf, exitCodeOf, MINIMAL_ENV, run, runOk, start, tail } from './spawn.js';
import { tryLockSync } from './sys/calls.js';
import { identify, isAlive } from './sys/process.js';
import { identityOf, rejection, until, useScratch } from './testing.js';

const scratch = useScratch('spawn');
const LIMIT = { timeoutMs: 10_000 };
const sh = (script: string, options: Partial<Parameters<typeof run>[2]> = {}) =>
  run('/bin/sh', ['-c', script], { ...LIMIT, ...options });

/** The pid that a script wrote to a file of the scratch directory. */
async function pidIn(name: string): Promise<number> {
  await until(async () => (await readFile(scratch.path(name), 'utf8').catch(() => '')).endsWith('\n'));
  return Number(await readFile(scratch.path(name), 'utf8'));
}

describe('run', () => {
  it('gives the output and the exit code', async () => {
    const result = await sh('echo out; echo err >&2; exit 7');
    expect(result.exitCode).toBe(7);
    expect([result.stdout.toString(), result.stderr.toString()]).toEqual(['out\n', 'err\n']);
    expect(result.truncated).toBe(false);
  });

  it('tells a signal as shells do', async () => {
    expect((await sh('kill -KILL $$')).exitCode).toBe(137);
    expect((await sh('kill -TERM $$')).exitCode).toBe(143);
  });

  it('gives the child nothing of the environment but what it is told', async () => {
    process.env['GANTRY_SECRET'] = 'x';
    const inherited = (await run('/usr/bin/env', [], LIMIT)).stdout.toString();
    const own = (await run('/usr/bin/env', [], { ...LIMIT, env: { A: 'b' } })).stdout.toString();
    delete process.env['GANTRY_SECRET'];
    expect(inherited.trim().split('\n').sort()).toEqual([`LC_ALL=C.UTF-8`, `PATH=${MINIMAL_ENV['PATH']}`]);
    expect(own).toBe('A=b\n');
  });

  it('gives it its directory and its input', async () => {
    const { stdout } = await run('/bin/sh', ['-c', 'pwd; cat'], { ...LIMIT, cwd: scratch.root, stdin: 'input\n' });
    expect(stdout.toString()).toBe(`${scratch.root}\ninput\n`);
  });

  it('gives it none of our files', async () => {
    const file = openSync(scratch.path('secret'), 'w');
    expect(tryLockSync(scratch.path('lock'))).toBe(true);
    const { stdout } = await sh('ls -l /proc/self/fd');
    closeSync(file);
    expect(stdout.toString()).toContain('0 -> ');
    expect(stdout.toString()).not.toContain(scratch.root);
  });

  it('does not mind a child that does not read its input', async () => {
    const { exitCode } = await run('/bin/true', [], { ...LIMIT, stdin: Buffer.alloc(1 << 20) });
    expect(exitCode).toBe(0);
  });

  it('keeps as much output as it is told and reads the rest', async () => {
    const result = await sh('head -c 300000 /dev/zero; echo end >&2', { maxOutput: 1_000 });
    expect(result.stdout).toHaveLength(1_000);
    expect([result.truncated, result.stderr.toString(), result.exitCode]).toEqual([true, 'end\n', 0]);
  });

  it.each([
    ['a program that is not there', '/no/such/program', []],
    ['one that is no program', '/etc/passwd', []],
  ])('tells of %s', async (_, command, args) => {
    const error = await rejection(run(command, args, LIMIT));
    expect(error).toMatchObject({ code: 'unavailable', message: `cannot start ${command}` });
  });

  it.each([
    ['a NUL in an argument', ['a\0b']],
    ['more than the kernel takes', ['x'.repeat(200_000)]],
  ])('refuses %s', async (_, args) => {
    const error = await rejection(run('/bin/true', args, LIMIT));
    expect(error).toMatchObject({ code: 'invalid-argument', message: 'cannot start /bin/true' });
  });
});

describe('a child that takes too long', () => {
  it('is asked to end, and the error says what ran and why it was cut', async () => {
    const begin = performance.now();
    const error = await rejection(
      sh(`trap 'echo > ${scratch.path('asked')}; exit' TERM; sleep 60 & wait`, { timeoutMs: 100 }),
    );
    expect(error).toMatchObject({ code: 'deadline-exceeded' });
    expect(error.message).toMatch(/^\/bin\/sh -c trap .*: the deadline passed$/);
    expect(performance.now() - begin).toBeLessThan(1_500);
    expect(await readFile(scratch.path('asked'), 'utf8')).toBe('\n');
  });

  it('ends with its caller, also one that gave up before', async () => {
    const controller = new AbortController();
    const running = sh('sleep 60', { signal: controller.signal });
    controller.abort();
    expect((await rejection(running)).code).toBe('cancelled');
    expect((await rejection(sh('sleep 60', { signal: AbortSignal.abort() }))).code).toBe('cancelled');
  });

  it('is killed if it does not listen', async () => {
    const script = `trap '' TERM; echo $$ > ${scratch.path('pid')}; while :; do sleep 0.1; done`;
    expect((await rejection(sh(script, { timeoutMs: 100 }))).code).toBe('deadline-exceeded');
    expect(identify(await pidIn('pid'))).toBeUndefined();
  });

  it('is killed with its group, even those that neither listen nor hold its output', async () => {
    const deaf = `trap "" TERM; echo $$ > ${scratch.path('pid')}; while :; do sleep 0.1; done`;
    const script = `/bin/sh -c '${deaf}' > /dev/null 2>&1 & sleep 60`;
    expect((await rejection(sh(script, { timeoutMs: 500 }))).code).toBe('deadline-exceeded');
    const pid = await pidIn('pid');
    await until(() => identify(pid) === undefined);
  });

  it('is not waited for where a stranger holds its output', async () => {
    const script = `setsid sh -c 'echo $$ > ${scratch.path('pid')}; exec sleep 60' & sleep 60`;
    const begin = performance.now();
    expect((await rejection(sh(script, { timeoutMs: 500 }))).code).toBe('deadline-exceeded');
    expect(performance.now() - begin).toBeLessThan(6_000);
    process.kill(await pidIn('pid'), 'SIGKILL');
  });
});

describe('bounded', () => {
  it('throws at the deadline whatever it waits for', async () => {
    const child = start('/bin/sleep', ['60'], { stdio: 'ignore' });
    const identity = identityOf(child.pid);
    const waiting = bounded(child, new Promise(() => undefined), { timeoutMs: 50, what: 'an answer' });
    expect(await rejection(waiting)).toMatchObject({
      code: 'deadline-exceeded',
      message: 'an answer: the deadline passed',
    });
    expect(isAlive(identity)).toBe(false);
  });

  it('gives what it waits for', async () => {
    const child = start('/bin/sh', ['-c', 'exit 3'], { stdio: 'ignore' });
    expect(await bounded(child, endOf(child, 'sh', 'exit'), { timeoutMs: 5_000, what: 'sh' })).toBe(3);
  });
});

describe('runOk', () => {
  it('makes any exit code but 0 an error with what the child said', async () => {
    const run = (script: string) => runOk('/bin/sh', ['-c', script], LIMIT);
    expect((await run('echo fine')).stdout.toString()).toBe('fine\n');
    expect(await rejection(run('echo no; echo why >&2; exit 3'))).toMatchObject({
      code: 'internal',
      message: '/bin/sh -c echo no; echo why >&2; exit 3: exit code 3: why',
      result: { exitCode: 3 },
    });
    expect((await rejection(run('echo only out; exit 1'))).message).toMatch(/exit code 1: only out$/);
  });
});

describe('messages', () => {
  it('are bounded', () => {
    expect(commandLine('/bin/x', ['a', 'b'])).toBe('/bin/x a b');
    expect(commandLine('/bin/x', ['y'.repeat(500)])).toHaveLength(201);
    expect(tail('x'.repeat(10), 4)).toBe('…xxxx');
    expect(tail('abc')).toBe('abc');
  });

  it('tell how a child ended', () => {
    expect(exitCodeOf(0, null)).toBe(0);
    expect(exitCodeOf(null, 'SIGSEGV')).toBe(139);
    expect(() => exitCodeOf(null, null)).toThrow('neither code nor signal');
  });
});
