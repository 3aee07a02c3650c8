import { readFile } from 'node:fs/promises';

import { expect, it } from '@jest/globals';

import { until, useScratch } from '../testing.js';
import { killTree } from './kill-tree.js';
import { identify, isAlive } from './process.js';

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

it('catches a process that forks and ends, again and again', async () => {
  await scratch.script('hop', `${note()}; sleep 0.02; ${scratch.path('hop')} & exit`);
  const { root } = await started(`${scratch.path('hop')}; exec sleep 60`, 5);
  await killTree(root);
  const before = await noted();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await noted()).toEqual(before);
});

it('leaves others alone, and takes a process that is gone for killed', async () => {
  const [one, other] = [scratch.shell('exec sleep 60'), scratch.shell('exec sleep 60')];
  const identity = identify(other.pid);
  await killTree(one.pid);
  await killTree(one.pid);
  expect(identity !== undefined && isAlive(identity)).toBe(true);
});
