import { readFile, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../../base/testing.js';
import { ownCapabilities } from '../../oci/spec/capabilities.js';
import { ContainerWorld, SECURITY } from './testing.js';
import type { SecurityConfig } from './types.js';

const scratch = useScratch('confine');
let own: ContainerWorld;
let pod: string;

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  pod = await own.sandbox();
});

/** The fields of /proc/self/status of a container's program. */
async function statusOf(security: Partial<SecurityConfig>): Promise<Record<string, string>> {
  const id = await own.run(pod, 'exec cat /proc/self/status', { security: { ...SECURITY, ...security } });
  expect(await own.exit(id)).toMatchObject({ exitCode: 0 });
  const lines = (await own.log(id)).map((line) => line.replace(/^stdout F /, '').split(/:\s+/));
  return Object.fromEntries<string>(lines.map(([name = '', value = '']) => [name, value]));
}

/** capabilities(7): the mask of CAP_NET_BIND_SERVICE. */
const NET_BIND_SERVICE = '0000000000000400';
const NONE = '0000000000000000';

describe('a container', () => {
  it('has the filter that it asked for', async () => {
    expect(await statusOf({ seccomp: { type: 'unconfined' } })).toMatchObject({ Seccomp: '0' });
    expect(await statusOf({ seccomp: { type: 'runtime-default' } })).toMatchObject({ Seccomp: '2' });
    await own.clear();
  });

  it('is made by a profile of the node, or not at all', async () => {
    const security = { ...SECURITY, seccomp: { type: 'localhost', ref: scratch.path('p.json') } } as const;
    const missing = await rejection(own.create(pod, { security }));
    expect(missing).toMatchObject({ code: 'failed-precondition' });
    expect(missing.cause).toMatchObject({ message: `cannot load seccomp profile ${scratch.path('p.json')}` });
    await writeFile(scratch.path('p.json'), '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["uname"]}]}');
    expect(await rejection(own.create(pod, { security }))).toMatchObject({ code: 'invalid-argument' });
    const syscalls = [{ names: ['execve', 'execveat'], action: 'SCMP_ACT_ALLOW' }];
    const noWrite = [{ names: ['utimensat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }];
    await writeFile(
      scratch.path('p.json'),
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [...syscalls, ...noWrite] }),
    );
    const id = await own.run(pod, 'echo > /tmp/f; touch -d @0 /tmp/f; exit 0', { security });
    await own.exit(id);
    expect((await own.log(id)).join()).toContain('Function not implemented');
    await own.clear();
  });

  it('has a plain user’s capabilities, and those that are to be passed on', async () => {
    const plain = await statusOf({ uid: 1000 });
    expect(plain).toMatchObject({ CapEff: NONE, CapPrm: NONE, CapInh: NONE, CapAmb: NONE });
    expect(plain['CapBnd']).not.toBe(NONE);
    const passed = await statusOf({
      uid: 1000,
      dropCapabilities: ['ALL'],
      addAmbientCapabilities: ['NET_BIND_SERVICE'],
    });
    expect(passed).toMatchObject({
      ...{ CapBnd: NET_BIND_SERVICE, CapEff: NET_BIND_SERVICE, CapInh: NET_BIND_SERVICE, CapAmb: NET_BIND_SERVICE },
    });
    await own.clear();
  });

  it('has all that the host has where it is privileged, and no more', async () => {
    pod = await own.sandbox({ privileged: true });
    const { CapEff = '', Seccomp } = await statusOf({ privileged: true, seccomp: { type: 'runtime-default' } });
    const count = BigInt(`0x${CapEff}`).toString(2).replaceAll('0', '').length;
    expect([count, Seccomp]).toEqual([ownCapabilities().size, '0']);
    await own.clear();
  });

  it('tells whom it was started as', async () => {
    const security = { ...SECURITY, uid: 7, gid: 8, supplementalGroups: [9] };
    const id = await own.run(pod, 'exit 0', { security });
    await own.exit(id);
    await own.restart();
    expect(own.get(id).status).toMatchObject({ user: { uid: 7, gid: 8, additionalGids: [8, 9] } });
    await own.clear();
  });
});

describe('the pause process', () => {
  it('has the filter that its sandbox asked for', async () => {
    const id = await own.sandbox({ seccomp: { type: 'runtime-default' } });
    const { status } = own.world.context.store.find(id);
    const pid = status.state === 'ready' ? status.pause.pid : 0;
    expect(await readFile(`/proc/${pid}/status`, 'utf8')).toContain('Seccomp:\t2');
    await own.clear();
  });
});
