import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../base/testing.js';
import { dropNamespace, makeNamespaces, makeNetns, netnsPathOf } from './namespaces.js';

const scratch = useScratch('netns');

describe('a network namespace', () => {
  it('has a name that follows from the sandbox’s id', () => {
    const path = netnsPathOf('/run/netns', 'abc');
    expect(path).toMatch(/^\/run\/netns\/cni-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(netnsPathOf('/run/netns', 'abc')).toBe(path);
    expect(netnsPathOf('/run/netns', 'abd')).not.toBe(path);
  });

  it('is pinned until it is dropped, once or twice', async () => {
    const path = netnsPathOf(scratch.path('made', 'here'), 'abc');
    scratch.defer(() => dropNamespace(path));
    await makeNetns(path);
    expect(statSync(path).ino).not.toBe(statSync('/proc/self/ns/net').ino);
    await dropNamespace(path);
    await dropNamespace(path);
    expect(existsSync(path)).toBe(false);
  });

  it('never takes a name that is taken', async () => {
    const path = netnsPathOf(scratch.root, 'abc');
    await writeFile(path, 'of another');
    expect((await rejection(makeNetns(path))).code).toBe('EEXIST');
    expect(existsSync(path)).toBe(true);
  });
});

describe('namespaces of a pod', () => {
  const range = { containerId: 0, hostId: 300_000, length: 65_536 };
  const mappings = { uid: range, gid: range };

  it.each([
    ['a network', true, false],
    ['both', true, true],
    ['a user', false, true],
    ['none', false, false],
  ])('are made as wanted: %s', async (_, network, user) => {
    const [netns, userns] = [scratch.path('netns', 'pod'), scratch.path('userns')];
    for (const path of [netns, userns]) scratch.defer(() => dropNamespace(path));
    await makeNamespaces({ netns: network ? netns : undefined, userns, mappings: user ? mappings : undefined });
    expect([existsSync(netns), existsSync(userns)]).toEqual([network, user]);
    if (network) expect(statSync(netns).ino).not.toBe(statSync('/proc/self/ns/net').ino);
    if (user) expect(statSync(userns).ino).not.toBe(statSync('/proc/self/ns/user').ino);
    for (const path of [netns, userns]) await dropNamespace(path);
  });
});
