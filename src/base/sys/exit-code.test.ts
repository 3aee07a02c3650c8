import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { start } from '../spawn.js';
import { identityOf, kernelTellsExitCodes } from '../testing.js';
import { holdExitCode } from './exit-code.js';

/** By a shell that goes on for a while, so that the process can be taken hold of. */
async function codeOf(script: string): Promise<number | string | undefined> {
  const child = start('sh', ['-c', `read -r line; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  const held = holdExitCode(identityOf(child.pid));
  expect(held?.read()).not.toEqual(expect.any(Number));
  child.stdin?.end('go\n');
  await once(child, 'exit');
  const code = held?.read();
  held?.close();
  return code;
}

describe('an exit code', () => {
  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -9 $$', 137],
    ['kill -TERM $$', 143],
  ])('of "%s" is known to who held the process, if the kernel tells', async (script, code) => {
    expect(await codeOf(script)).toBe(kernelTellsExitCodes() ? code : undefined);
  });

  it('is not known of a process that had ended', () => {
    expect(holdExitCode({ pid: 2 ** 22 + 1, startTime: '1@x' })).toBeUndefined();
  });
});
