import { readdir, readFile } from 'node:fs/promises';

import { expect, it } from '@jest/globals';

import { until, useScratch } from '../testing.js';
import { killTree } from './kill-tree.js';
import { identify, isAlive, readProcess, type ProcessRow } from './process.js';

const scratch = useScratch('tree');

const note = (): string => scratch.path('note');

async function noted(): Promise<number[]> {
  const text = await readFile(scratch.path('pids'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

/** Runs a script in which `@note` writes down the pid of its shell, and waits until `count` have. */
async function started(script: string, count: number): Promise<{ root: number; pids: number[] }> {
  await scratch.script('note', `echo $PPID >> ${scratch.path('pids')}`);
  const orphan = await scratch.script('orphan', `sh -c '${note()}; exec sleep 60' & exit`);
  const child = scratch.shell(script.replaceAll('@note', note()).replaceAll('@orphan', orphan));
  await until(async () => (await noted()).length >= count);
  return { root: child.pid, pids: await noted() };
}

it.each([
  ['a child', `sh -c '@note; exec sleep 60' & wait`, 1],
  ['a grandchild', `sh -c "sh -c '@note; exec sleep 60' & @note; wait" & wait`, 2],
  ['a child in a session of its own', `setsid sh -c '@note; exec sleep 60' & wait`, 1],
  ['an orphan of the same session', `@orphan; exec sleep 60`, 1],
  ['one that ignores signals', `sh -c 'trap "" TERM INT HUP; @note; while :; do sleep 0.1; done' & wait`, 1],
  ['an orphan of a session below', `setsid sh -c '@orphan; exec sleep 60' & wait`, 1],
])('takes %s along', async (_, script, count) => {
  const { root, pids } = await started(script, count);
  expect(pids.filter((pid) => identify(pid) !== undefined)).toHaveLength(count);
  await killTree(root);
  expect([root, ...pids].filter((pid) => identify(pid) !== undefined)).toEqual([]);
});

/** What lives of a session, in any of several looks: a process may fork and end while one is taken. */
async function membersOf(session: number): Promise<ProcessRow[]> {
  const found: ProcessRow[] = [];
  for (let look = 0; look < 20; look++) {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    found.push(...pids.flatMap((pid) => readProcess(Number(pid)) ?? []).filter((row) => row.session === session));
  }
  return found;
}

it.each([1, 3])('catches %d processes that fork and end, again and again', async (count) => {
  await scratch.script('hop', `${note()}; sleep 0.02; ${scratch.path('hop')} & exit`);
  const hops = Array.from({ length: count }, () => `${scratch.path('hop')} &`).join(' ');
  const { root } = await started(`${hops} exec sleep 60`, 5 * count);
  await killTree(root);
  expect(await membersOf(root)).toEqual([]);
});

it('leaves others alone, and takes a process that is gone for killed', async () => {
  const [one, other] = [scratch.shell('exec sleep 60'), scratch.shell('exec sleep 60')];
  const identity = identify(other.pid);
  await killTree(one.pid);
  await killTree(one.pid);
  expect(identity !== undefined && isAlive(identity)).toBe(true);
});
