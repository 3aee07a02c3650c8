import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runPod, startRefusal, writeContainer, writePod, type PodFile } from './harness/pods.js';

/** Fields, the code of the answer, and what its message has. */
type Case = readonly [what: string, fields: object, code: string, ...said: string[]];

const BAD_PODS: readonly Case[] = [
  ['a handler that is none', { runtime_handler: 'none' }, 'NotFound', 'none'],
  ['a sysctl that is none', { linux: { sysctls: { 'net.ipv4.no_such': '1' } } }, 'InvalidArgument', 'net/ipv4/no_such'],
  ['a sysctl’s bad value', { linux: { sysctls: { 'kernel.sem': 'many' } } }, 'InvalidArgument', 'kernel/sem'],
  ['a sysctl of the whole node', { linux: { sysctls: { 'vm.swappiness': '1' } } }, 'InvalidArgument', 'vm.swappiness'],
  ['a sysctl elsewhere', { linux: { sysctls: { 'net/../vm/swappiness': '1' } } }, 'InvalidArgument', 'swappiness'],
  [
    'a node’s sysctl with the node’s network',
    {
      linux: {
        sysctls: { 'net.ipv4.ip_forward': '1' },
        security_context: { namespace_options: { network: 2 } },
      },
    },
    'InvalidArgument',
    'net.ipv4.ip_forward',
  ],
  ['a port that is none', { port_mappings: [{ container_port: -1, host_port: 1 }] }, 'InvalidArgument', '-1'],
  [
    'an address that is none',
    { port_mappings: [{ container_port: 1, host_port: 1, host_ip: 'x' }] },
    'InvalidArgument',
    'host ip \\"x\\"',
  ],
  ['a protocol that is none', { port_mappings: [{ container_port: 1, protocol: 9 }] }, 'InvalidArgument', 'protocol'],
  ['a hostname that is none', { hostname: 'a b' }, 'InvalidArgument', 'hostname'],
  [
    'a hostname with the node’s network',
    { hostname: 'other', linux: { security_context: { namespace_options: { network: 2 } } } },
    'InvalidArgument',
    'other',
  ],
  [
    'a name server with two lines',
    { dns_config: { servers: ['1.1.1.1\noptions x'] } },
    'InvalidArgument',
    'dns_config',
  ],
];

const BAD_CONTAINERS: readonly Case[] = [
  [
    'less than no memory',
    { linux: { resources: { memory_limit_in_bytes: -5 } } },
    'InvalidArgument',
    'memory_limit_in_bytes',
  ],
  ['a negative period', { linux: { resources: { cpu_period: -1 } } }, 'InvalidArgument', 'cpu_period'],
  ['negative shares', { linux: { resources: { cpu_shares: -1 } } }, 'InvalidArgument', 'cpu_shares'],
  ['an OOM score out of range', { linux: { resources: { oom_score_adj: 5000 } } }, 'InvalidArgument', 'oom_score_adj'],
  ['processors that are none', { linux: { resources: { cpuset_cpus: 'x' } } }, 'InvalidArgument', 'cpuset_cpus'],
  [
    'a capability that is none',
    { linux: { security_context: { capabilities: { add_capabilities: ['FLY'] } } } },
    'InvalidArgument',
    'FLY',
  ],
  [
    'a device that does not exist',
    { devices: [{ container_path: '/dev/x', host_path: '/dev/no-such', permissions: 'rwm' }] },
    'InvalidArgument',
    '/dev/no-such',
  ],
  [
    'a device that is a file',
    { devices: [{ container_path: '/dev/x', host_path: '/etc/hostname', permissions: 'rwm' }] },
    'InvalidArgument',
    '/etc/hostname',
  ],
  [
    'a device’s bad permissions',
    { devices: [{ container_path: '/dev/x', host_path: '/dev/null', permissions: 'xyz' }] },
    'InvalidArgument',
    'xyz',
  ],
  [
    'a mount source below a file',
    { mounts: [{ container_path: '/x', host_path: '/etc/hostname/below' }] },
    'InvalidArgument',
    '/etc/hostname/below',
  ],
  ['a relative directory', { working_dir: 'here' }, 'InvalidArgument', 'working_dir'],
  ['a variable that is none', { envs: [{ key: 'A=B', value: 'x' }] }, 'InvalidArgument', 'envs'],
  ['a signal that is none', { stop_signal: 400 }, 'InvalidArgument', 'stop_signal'],
  [
    'a group without a user',
    { linux: { security_context: { run_as_group: { value: 5 } } } },
    'InvalidArgument',
    'run_as_group',
  ],
];

/** What only the start of a container can tell: what is asked for, and what of it the error names. */
const UNSTARTABLE: readonly (readonly [string, object, string])[] = [
  ['a command that does not exist', { command: ['/no/such'] }, '/no/such'],
  ['a command that is no program', { command: ['/etc/passwd'] }, '/etc/passwd'],
  ['a directory that is a file', { working_dir: '/etc/passwd' }, '/etc/passwd'],
  ['a user that the image has not', { linux: { security_context: { run_as_username: 'nobody-here' } } }, 'nobody-here'],
];

describe('what bad input gets', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  async function complaint(...args: string[]): Promise<string> {
    const { code, stderr } = await house.crictl.run(...args);
    expect(code).not.toBe(0);
    return stderr;
  }

  it.each(BAD_PODS)('as a pod: %s', async (_, fields, code, ...said) => {
    const { runtime_handler: handler = '', ...config } = fields as { runtime_handler?: string };
    const answer = await complaint('runp', '--runtime', handler, (await writePod(house, config)).path);
    expect(answer).toContain(`code = ${code}`);
    for (const part of said) expect(answer).toContain(part);
    expect(await house.crictl.ok('pods', '-q')).toBe(podId);
  });

  it.each(BAD_CONTAINERS)('as a container: %s', async (_, fields, code, ...said) => {
    const answer = await complaint('create', '--no-pull', podId, await writeContainer(house, fields), pod.path);
    expect(answer).toContain(`code = ${code}`);
    for (const part of said) expect(answer).toContain(part);
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  });

  it.each(UNSTARTABLE)('as a container, at its start: %s', async (_, fields, said) => {
    const answer = await startRefusal(house, podId, { pod, container: await writeContainer(house, fields) });
    expect(answer).toContain('code = FailedPrecondition');
    expect(answer).toContain(said);
  });

  // crictl refuses these itself.
  it.each([
    [{}, 'config.metadata'],
    [{ metadata: { namespace: 'n', uid: 'u' } }, 'config.metadata.name'],
    [{ metadata: { name: 'n', uid: 'u' } }, 'config.metadata.namespace'],
    [{ metadata: { name: 'n', namespace: 'n' } }, 'config.metadata.uid'],
  ])('as a pod’s metadata: %j', async (config, field) => {
    const answer = await statusOf(callCri(house, 'RunPodSandbox', { config }));
    expect(answer).toEqual({ code: status.INVALID_ARGUMENT, details: `${field} is missing` });
  });

  it.each([
    [{}, 'config.metadata'],
    [{ metadata: { attempt: 1 } }, 'config.metadata.name'],
    [{ metadata: { name: 'n' } }, 'config.image.image'],
  ])('as a container’s metadata and image: %j', async (config, field) => {
    const answer = await statusOf(callCri(house, 'CreateContainer', { podSandboxId: podId, config }));
    expect(answer).toEqual({ code: status.INVALID_ARGUMENT, details: `${field} is missing` });
  });

  it('as an update: less than no memory', async () => {
    const id = await house.crictl.ok('create', podId, await writeContainer(house), pod.path);
    const answer = await complaint('update', '--memory=-5', id);
    expect(answer).toContain('code = InvalidArgument');
    expect(answer).toContain('memory_limit_in_bytes');
    await house.crictl.ok('rm', id);
  });

  it('as an id: the beginning of two', async () => {
    const ids: string[] = [podId];
    // 17 hexadecimal numbers have two that begin alike.
    while (ids.length < 18 && shared(ids) === undefined) ids.push(await runPod(house, await writePod(house)));
    const answer = await complaint('inspectp', shared(ids) ?? 'none');
    expect(answer).toContain('code = InvalidArgument');
    for (const id of ids.slice(1)) await house.crictl.ok('rmp', '-f', id);
  });

  it('as a log: a path that is a directory', async () => {
    await writeFile(join(pod.logDirectory, 'file'), '');
    const answer = await complaint(
      'create',
      podId,
      await writeContainer(house, { log_path: 'file/below.log' }),
      pod.path,
    );
    expect(answer).toContain('file/below.log');
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

/** The first digit that two ids have in common. */
function shared(ids: readonly string[]): string | undefined {
  const firsts = ids.map((id) => id.slice(0, 1));
  return firsts.find((first, index) => firsts.indexOf(first) < index);
}
