import { spawn } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { sleep } from '../abort.js';
import { errnoOf } from '../errors.js';
import { identityOf, until, useScratch } from '../testing.js';
import { endProcess, identify, isAlive, isProcessIdentity, readProcess, signalProcess, watchExit } from './process.js';

const scratch = useScratch('process');

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, sleep(20).then(() => pending)])) !== pending;
}

/** A process that nobody reaps as long as its parent, a sleeping shell, lives. */
async function zombie(): Promise<number> {
  scratch.shell(`sh -c 'echo $$ > ${scratch.path('pid')}' & exec sleep 60`);
  const pid = async (): Promise<number> => Number(await readFile(scratch.path('pid'), 'utf8').catch(() => '0'));
  await until(async () => {
    const stat = await readFile(`/proc/${await pid()}/stat`, 'utf8').catch(() => '');
    return stat.includes(') Z ');
  });
  return pid();
}

describe('identify', () => {
  it('knows a process for as long as it lives', async () => {
    const child = scratch.shell('exec sleep 60');
    const identity = identityOf(child.pid);
    expect(identity).toEqual({ pid: child.pid, startTime: expect.stringMatching(/^\d+@[0-9a-f-]{36}$/) });
    expect(identify(child.pid)).toEqual(identity);
    expect(isAlive(identity)).toBe(true);
    await endProcess(identity);
    expect(identify(child.pid)).toBeUndefined();
    expect(isAlive(identity)).toBe(false);
  });

  it.each(['a) b', 'x (y) 1 2', '(sd-pam)', 'new\nline', ') Z 1'])('reads past the name %j', async (name) => {
    const program = scratch.path(name);
    await copyFile('/bin/sleep', program);
    const child = spawn(program, ['60'], { stdio: 'ignore' });
    scratch.defer(() => child.kill('SIGKILL'));
    await until(async () => (await readFile(`/proc/${child.pid}/stat`, 'utf8')).includes(name));
    const row = readProcess(child.pid ?? 0);
    expect(row).toMatchObject({ parent: process.pid, process: { startTime: expect.stringMatching(/^\d+@/) } });
    expect(row?.session).toBe(readProcess(process.pid)?.session);
  });

  it('takes a zombie for dead', async () => {
    const pid = await zombie();
    expect(identify(pid)).toBeUndefined();
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
    const identity = { pid, startTime: `${fields[19]}@${identityOf(process.pid).startTime.split('@')[1]}` };
    expect(isAlive(identity)).toBe(false);
    expect(signalProcess(identity, 'SIGTERM')).toBe(false);
    expect(await isSettled(watchExit(identity).ended)).toBe(true);
  });

  it.each([0, -1, 2 ** 30, Number.NaN])('finds nothing of pid %d', (pid) => {
    expect(identify(pid)).toBeUndefined();
    expect(isAlive({ pid, startTime: '1' })).toBe(false);
    expect(isAlive({ pid, startTime: undefined as unknown as string })).toBe(false);
  });

  it('does not take a process of another boot for the one meant', () => {
    const { pid, startTime } = identityOf(process.pid);
    const other = startTime.replace(/@.*/, '@00000000-0000-0000-0000-000000000000');
    expect(isAlive({ pid, startTime })).toBe(true);
    expect(isAlive({ pid, startTime: other })).toBe(false);
  });
});

it.each([
  [{ pid: 7, startTime: '1@x' }, true],
  [{ pid: '7', startTime: '1@x' }, false],
  [{ pid: 7 }, false],
  [{ startTime: '1' }, false],
  [null, false],
  [7, false],
])('tells whether %j is an identity', (value, expected) => {
  expect(isProcessIdentity(value)).toBe(expected);
});

describe('signalProcess', () => {
  it('signals by name or number', async () => {
    const child = scratch.shell(`trap 'echo > ${scratch.path('usr1')}' USR1; echo ready; while :; do sleep 0.05; done`);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const identity = identityOf(child.pid);
    expect(signalProcess(identity, 'SIGUSR1')).toBe(true);
    await until(() => readFile(scratch.path('usr1')).catch(() => undefined));
    expect(signalProcess(identity, 9)).toBe(true);
    await watchExit(identity).ended;
    expect(signalProcess(identity, 'SIGKILL')).toBe(false);
  });

  it('never hits another process of the same number', async () => {
    const child = scratch.shell('exec sleep 60');
    const identity = identityOf(child.pid);
    expect(signalProcess({ ...identity, startTime: '1@x' }, 'SIGKILL')).toBe(false);
    await sleep(20);
    expect(isAlive(identity)).toBe(true);
  });

  it('signals no thread', async () => {
    const threads = (await import('node:fs')).readdirSync('/proc/self/task').map(Number);
    const thread = threads.find((id) => id !== process.pid) ?? 0;
    expect(identify(thread)).toBeDefined();
    expect(signalProcess(identityOf(thread), 0)).toBe(false);
  });

  it('says which signal there is not', () => {
    let error: unknown;
    try {
      signalProcess(identityOf(process.pid), 1000);
    } catch (thrown) {
      error = thrown;
    }
    expect(errnoOf(error)).toBe('EINVAL');
    expect(String(error)).toContain('pidfd_send_signal 1000');
  });
});

describe('watchExit', () => {
  it('sees a child end, not before it does', async () => {
    const child = scratch.shell('exec sleep 60');
    const watch = watchExit(identityOf(child.pid));
    expect(await isSettled(watch.ended)).toBe(false);
    child.kill('SIGKILL');
    await watch.ended;
    expect(identify(child.pid)).toBeUndefined();
  });

  it('sees one end that is no child of ours', async () => {
    scratch.shell(`setsid sh -c 'echo $$ > ${scratch.path('pid')}; exec sleep 0.3' & wait`);
    await until(() => readFile(scratch.path('pid'), 'utf8').catch(() => ''));
    const identity = identityOf(Number(await readFile(scratch.path('pid'), 'utf8')));
    expect(readProcess(identity.pid)?.parent).not.toBe(process.pid);
    await watchExit(identity).ended;
    expect(isAlive(identity)).toBe(false);
  });

  it('lets several watch, and closes one alone', async () => {
    const child = scratch.shell('exec sleep 60');
    const identity = identityOf(child.pid);
    const [closed, open] = [watchExit(identity), watchExit(identity)];
    closed.close();
    child.kill('SIGKILL');
    await open.ended;
    expect(await isSettled(closed.ended)).toBe(false);
  });

  it('keeps no descriptor', async () => {
    const count = async (): Promise<number> => (await import('node:fs')).readdirSync('/proc/self/fd').length;
    const warm = scratch.shell('exec sleep 60');
    const watch = watchExit(identityOf(warm.pid));
    warm.kill('SIGKILL');
    await watch.ended;
    const before = await count();
    const child = scratch.shell('exec sleep 60');
    const watches = Array.from({ length: 20 }, () => watchExit(identityOf(child.pid)));
    for (const each of watches.slice(0, 10)) each.close();
    child.kill('SIGKILL');
    await Promise.all(watches.slice(10).map(({ ended }) => ended));
    await until(async () => (await count()) <= before + 2);
  });
});

describe('endProcess', () => {
  it('ends one that ignores everything else, and waits for it', async () => {
    const child = scratch.shell(`trap '' TERM INT HUP; echo ready; while :; do sleep 0.05; done`);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const identity = identityOf(child.pid);
    await endProcess(identity);
    expect(isAlive(identity)).toBe(false);
    await endProcess(identity);
  });

  it('does not mind one that never was', async () => {
    await endProcess({ pid: 0, startTime: '' });
    await writeFile(scratch.path('x'), '');
  });
});
