import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { rejection, until, useScratch } from '../base/testing.js';
import { OwnScope, slicePath } from './own-scope.js';

const scratch = useScratch('own-scope');

describe('slicePath', () => {
  it.each([
    ['gantry.slice', '/gantry.slice'],
    ['gantry-monitors.slice', '/gantry.slice/gantry-monitors.slice'],
    ['a-b-c.slice', '/a.slice/a-b.slice/a-b-c.slice'],
  ])('of %s is %s', (slice, path) => {
    expect(slicePath(slice)).toBe(path);
  });
});

/** See sd_booted(3). The virtual machine of the end-to-end tests has it. */
const withSystemd = existsSync('/run/systemd/system') ? describe : describe.skip;

withSystemd('OwnScope', () => {
  const sliceName = (): string => `gantrytest${newId().slice(0, 8)}-monitors.slice`;

  async function placeOf(pid: number): Promise<string> {
    const text = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    return /^(?:0::|\d+:name=systemd:)(.*)$/m.exec(text)?.[1] ?? '';
  }

  function sleeper(): number {
    return scratch.shell('exec sleep 60').pid;
  }

  it('takes the first process by systemd and the others by itself, all into one scope of the slice', async () => {
    const slice = sliceName();
    const scope = new OwnScope(slice);
    const [first, second, third] = [sleeper(), sleeper(), sleeper()];
    await Promise.all([scope.add(first), scope.add(second)]);
    // As the next daemon does.
    await new OwnScope(slice).add(third);
    const expected = `${slicePath(slice)}/${slice.replace('.slice', '.scope')}`;
    expect(await Promise.all([first, second, third].map(placeOf))).toEqual([expected, expected, expected]);
  });

  it('is made anew when its last process has ended', async () => {
    const slice = sliceName();
    const scope = new OwnScope(slice);
    for (let round = 0; round < 5; round++) {
      const pid = sleeper();
      await scope.add(pid);
      expect(basename(await placeOf(pid))).toBe(slice.replace('.slice', '.scope'));
      process.kill(pid, 'SIGKILL');
      await until(() => !existsSync(`/proc/${pid}`));
    }
  });

  it('does not mind a process that has ended', async () => {
    const pid = sleeper();
    process.kill(pid, 'SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`));
    await new OwnScope(sliceName()).add(pid);
  });

  it('says what systemd refuses', async () => {
    const error = await rejection(new OwnScope('no--slice.slice').add(sleeper()));
    expect(error).toMatchObject({ code: 'internal', message: expect.stringContaining('no--slice.scope') });
  });
});
