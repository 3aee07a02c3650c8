import { mkdir, rm, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { silentLogger } from '../../base/log.js';
import { rejection, useScratch } from '../../base/testing.js';
import { parseAssignments, type SelinuxPlaces } from './policy.js';
import { isUnconfined, Selinux } from './selinux.js';

const scratch = useScratch('selinux');
let places: SelinuxPlaces;

const CONTEXTS = `# of containers
process = "system_u:system_r:container_t:s0"
file = "system_u:object_r:container_file_t:s0"
`;
const OPTIONS = { user: '', role: '', type: 'spc_t', level: '' };

beforeEach(async () => {
  places = {
    kernel: scratch.path('selinuxfs'),
    current: scratch.path('current'),
    config: scratch.path('etc', 'config'),
    contexts: scratch.path('contexts'),
  };
  await mkdir(places.kernel);
  await mkdir(scratch.path('etc', 'targeted', 'contexts'), { recursive: true });
  await writeFile(`${places.kernel}/enforce`, '1');
  await writeFile(`${places.kernel}/context`, '');
  await writeFile(places.current, 'system_u:system_r:container_runtime_t:s0\0');
  await writeFile(places.config, 'SELINUX=enforcing\nSELINUXTYPE=targeted\n');
  await writeFile(scratch.path('etc', 'targeted', 'contexts', 'lxc_contexts'), CONTEXTS);
});

const open = (wanted: 'auto' | 'off' = 'auto'): Promise<Selinux> => Selinux.open(silentLogger(), wanted, places);

describe('a node with SELinux', () => {
  it('gives each pod a level of its own, and containers their pod’s', async () => {
    const selinux = await open();
    const pod = await selinux.podLabels(undefined, []);
    expect(pod?.process).toMatch(/^system_u:system_r:container_t:s0:c\d+,c\d+$/);
    expect((await selinux.podLabels(undefined, []))?.process).not.toBe(pod?.process);
    expect(await selinux.containerLabels(undefined, pod)).toEqual(pod);
    const own = await selinux.containerLabels(OPTIONS, pod);
    expect(own?.process).toBe(pod?.process.replace('container_t', 'spc_t'));
    expect(own?.mount).toBe(pod?.mount);
    expect((await selinux.containerLabels({ ...OPTIONS, level: 's0:c5' }, pod))?.mount).toMatch(/:s0:c5$/);
  });

  it('takes labels of containers’ own policy before those of the node’s', async () => {
    await writeFile(places.contexts, CONTEXTS.replace('container_t', 'other_t'));
    expect((await (await open()).podLabels(undefined, []))?.process).toContain(':other_t:');
  });

  it('tells its mode and labels', async () => {
    expect((await open()).describe()).toEqual({
      mode: 'enforcing',
      labels: 'system_u:system_r:container_t:s0, system_u:object_r:container_file_t:s0',
    });
    await writeFile(`${places.kernel}/enforce`, '0');
    expect((await open()).describe().mode).toBe('permissive');
  });

  it('without labels for containers sets none, and refuses options', async () => {
    await writeFile(places.config, '');
    const selinux = await open();
    expect(selinux.describe().labels).toBe(`the policy has no labels for containers: there is no ${places.contexts}`);
    expect(await selinux.podLabels(undefined, [])).toBeUndefined();
    const { code, message } = await rejection(selinux.podLabels(OPTIONS, []));
    expect([code, message]).toEqual(['failed-precondition', expect.stringContaining(places.contexts)]);
  });

  it.each(['', 'process = "a:b:c"', 'process = "a"\nfile = "a:b:c"'])('takes no labels from %p', async (text) => {
    await writeFile(places.contexts, text);
    expect((await open()).describe().labels).toContain(places.contexts);
    expect(await (await open()).podLabels(undefined, [])).toBeUndefined();
  });

  it('whose kernel cannot be asked for a label refuses', async () => {
    await rm(`${places.kernel}/context`);
    const { code, message } = await rejection((await open()).podLabels(undefined, []));
    expect(code).toBe('failed-precondition');
    expect(message).toMatch(/^the SELinux label "system_u:system_r:container_t:s0:c\d+,c\d+" cannot be checked/);
  });
});

describe('a node without SELinux', () => {
  it.each([
    ['off by configuration', async () => Promise.resolve(), 'off'],
    ['without a policy', () => writeFile(places.current, 'kernel\0'), 'auto'],
  ] as const)('ignores options, and says so: %s', async (_, prepare, wanted) => {
    await prepare();
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const selinux = await Selinux.open(logger, wanted, places);
    expect(selinux.describe().mode).toBe('off');
    expect(await selinux.podLabels(OPTIONS, [])).toBeUndefined();
    expect(await selinux.containerLabels(OPTIONS, { process: 'a:b:c', mount: 'a:b:c' })).toBeUndefined();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('ignored');
    expect(await selinux.podLabels(undefined, [])).toBeUndefined();
    expect(lines).toHaveLength(2);
  });
});

describe('processes', () => {
  it.each([
    [{ pid: 'container', ipc: 'pod' }, { privileged: false }, false],
    [{ pid: 'node', ipc: 'pod' }, { privileged: false }, true],
    [{ pid: 'container', ipc: 'node' }, { privileged: false }, true],
    [{ pid: 'node', ipc: 'node' }, { privileged: false, options: OPTIONS }, false],
    [{ pid: 'container', ipc: 'pod' }, { privileged: true, options: OPTIONS }, true],
  ])('of %j, with %j, are unconfined: %p', (pod, wish, expected) => {
    expect(isUnconfined(pod, { options: undefined, ...wish })).toBe(expected);
  });
});

describe('a policy’s file', () => {
  it('has a name and a value a line', () => {
    const text = '# a = 1\n;b = 2\n c=3 \nd = "x = y"\n=5\nd2\nSELINUXTYPE=targeted\n';
    expect([...parseAssignments(text)]).toEqual([
      ['c', '3'],
      ['d', 'x = y'],
      ['SELINUXTYPE', 'targeted'],
    ]);
  });
});
