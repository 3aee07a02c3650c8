import { mkdir } from 'node:fs/promises';
import { readlinkSync } from 'node:fs';

import { expect, it } from '@jest/globals';

import { until, useScratch } from '../testing.js';
import { killInDirectory } from './kill-in-directory.js';
import { identify } from './process.js';

const scratch = useScratch('kill-in-directory');

/** A process that works in a directory below the scratch one. */
async function at(name: string, script = 'exec sleep 60'): Promise<number> {
  const dir = scratch.path(name);
  await mkdir(dir, { recursive: true });
  const { pid } = scratch.shell(`cd ${dir}; ${script}`);
  await until(() => readlinkSync(`/proc/${pid}/cwd`) === dir);
  return pid;
}

it('kills who works in a directory, and nobody else', async () => {
  const here = [await at('here'), await at('here', 'trap "" TERM; sleep 60 & wait')];
  const others = [await at('here/below'), await at('herefrom'), await at('.')];
  await killInDirectory(scratch.path('here'));
  expect(here.map(identify)).toEqual([undefined, undefined]);
  expect(others.map(identify)).not.toContain(undefined);
});

it('does not mind a directory that is not there', async () => {
  const other = await at('other');
  await killInDirectory(scratch.path('none'));
  expect(identify(other)).toBeDefined();
});
