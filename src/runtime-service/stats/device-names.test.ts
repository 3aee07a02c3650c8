import { readdir } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { runOk } from '../../base/spawn.js';
import { deviceNames, deviceOf } from './device-names.js';

describe('deviceNames', () => {
  it('names what the kernel has a name for', async () => {
    const numbers = await readdir('/sys/dev/block');
    const names = await deviceNames(numbers);
    expect(names.size).toBe(numbers.length);
    expect([...names.values()].every((name) => /^\/dev\/[\w!-]+$/.test(name))).toBe(true);
  });

  it('leaves the number of what it does not know', async () => {
    expect([...(await deviceNames(['0:99', '0:99']))]).toEqual([['0:99', '0:99']]);
  });
});

describe('deviceOf', () => {
  it.each(['/', '/proc', '/dev/shm'])('says of %s what stat says', async (path) => {
    const { stdout } = await runOk('stat', ['-c', '%Hd:%Ld', path], { timeoutMs: 5_000 });
    expect(await deviceOf(path)).toBe(stdout.toString().trim());
  });
});
