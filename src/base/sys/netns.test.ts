import { readdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { errnoOf } from '../errors.js';
import { MINIMAL_ENV, runOk } from '../spawn.js';
import { rejection, useScratch } from '../testing.js';
import { createNetnsSync } from './calls.js';
import { createNetns, unmount, writeInNetns } from './sys.js';

const scratch = useScratch('netns');

describe('network namespaces', () => {
  async function netns(): Promise<string> {
    const path = scratch.path('netns');
    await writeFile(path, '');
    scratch.defer(() => unmount(path, { detach: true }));
    return path;
  }

  const inside = async (path: string, ...command: string[]): Promise<string> => {
    const args = [`--net=${path}`, ...command];
    return (await runOk('nsenter', args, { timeoutMs: 5_000, env: MINIMAL_ENV })).stdout.toString();
  };

  it('is new, empty and pinned, and the threads stay where they are', async () => {
    const before = statSync('/proc/self/ns/net').ino;
    const path = await netns();
    await createNetns(path);
    expect(statSync(path).ino).not.toBe(before);
    expect(await inside(path, 'ip', '-o', 'link')).toMatch(/^1: lo: <LOOPBACK[^\n]*\n$/);
    const tasks = readdirSync('/proc/self/task').map((task) => statSync(`/proc/self/task/${task}/ns/net`).ino);
    expect(new Set(tasks)).toEqual(new Set([before]));
    expect(errnoOf(await rejection(createNetns(scratch.path('none'))))).toBe('ENOENT');
    const after = readdirSync('/proc/self/task').map((task) => statSync(`/proc/self/task/${task}/ns/net`).ino);
    expect(new Set(after)).toEqual(new Set([before]));
  });

  it('brings even the main thread back', async () => {
    const before = statSync('/proc/thread-self/ns/net').ino;
    createNetnsSync(await netns());
    expect(statSync('/proc/thread-self/ns/net').ino).toBe(before);
  });

  it('gets its sysctls written, and ours stay', async () => {
    const file = '/proc/sys/net/ipv4/ip_default_ttl';
    const before = readFileSync(file, 'utf8');
    const path = await netns();
    await createNetns(path);
    await writeInNetns(path, [
      [file, '33'],
      ['/proc/sys/net/ipv4/conf/lo/rp_filter', '2'],
    ]);
    expect(await inside(path, 'cat', file, '/proc/sys/net/ipv4/conf/lo/rp_filter')).toBe('33\n2\n');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it.each([
    ['net/ipv4/no_such', '1', 'ENOENT'],
    ['net/ipv4/ip_default_ttl', 'many', 'EINVAL'],
    ['net/core/rps_sock_flow_entries/x', '1', 'ENOENT|ENOTDIR'],
  ])('says which sysctl it cannot write: %s', async (name, value, code) => {
    const path = await netns();
    await createNetns(path);
    const error = await rejection(writeInNetns(path, [[`/proc/sys/${name}`, value]]));
    expect(error.code).toMatch(new RegExp(`^(${code})$`));
    expect(error.message).toContain(`write "${value}" to /proc/sys/${name}: `);
  });

  it('says that there is none', async () => {
    expect((await rejection(writeInNetns(scratch.path('none'), []))).code).toBe('ENOENT');
    await writeFile(scratch.path('file'), '');
    expect((await rejection(writeInNetns(scratch.path('file'), []))).code).toBe('EINVAL');
  });
});
