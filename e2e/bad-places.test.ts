import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Long from 'long';

import { runtime } from '../api/cri/generated/api.cjs';
import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, IDLE, runPod, writePod } from './harness/pods.js';
import { OWN } from './images/own-images.js';

type Resources = runtime.v1.ILinuxContainerResources;
const { INVALID_ARGUMENT, FAILED_PRECONDITION } = status;
const { CONTAINER_EXITED } = runtime.v1.ContainerState;

const REFUSED_SYSCTLS: readonly (readonly [name: string, value: string, said: string])[] = [
  ['net.core.no_such', '1', '/proc/sys/net/core/no_such'],
  ['net.ipv4', '1', '/proc/sys/net/ipv4'],
  ['net.ipv4.ip_local_port_range', 'many', '/proc/sys/net/ipv4/ip_local_port_range'],
  ['fs.mqueue.no_such', '1', '/proc/sys/fs/mqueue/no_such'],
];

/** Where no mount can be, of a file or of a directory, and whose fault that is: the image's is told at the start. */
const REFUSED_PLACES: readonly (readonly [path: string, source: 'file' | 'dir', code: status, said: string])[] = [
  ['/', 'dir', INVALID_ARGUMENT, "config.mounts[0].container_path is the container's root"],
  ['/a/..', 'file', INVALID_ARGUMENT, "config.mounts[0].container_path is the container's root"],
  ['/proc', 'dir', INVALID_ARGUMENT, '/proc'],
  ['/proc/sys', 'dir', INVALID_ARGUMENT, '/proc/sys'],
  ['/tmp/../proc/x', 'file', INVALID_ARGUMENT, 'proc/x'],
  ['/sys/x', 'dir', FAILED_PRECONDITION, '/sys/x'],
  ['/dev/null', 'dir', FAILED_PRECONDITION, '/dev/null'],
  ['/etc', 'file', FAILED_PRECONDITION, '/etc'],
  ['/etc/passwd/x', 'dir', FAILED_PRECONDITION, '/etc/passwd/x'],
  [`/${'x'.repeat(256)}`, 'dir', INVALID_ARGUMENT, 'config.mounts[0].container_path is longer than a path may be'],
];

const REFUSED_LIMITS: readonly (readonly [limit: Resources, said: string])[] = [
  [{ cpusetCpus: '99999' }, 'cpuset.cpus'],
  [{ cpusetCpus: '0,,1' }, 'cpuset_cpus'],
  [{ cpusetMems: '99' }, 'cpuset.mems'],
  [{ cpuPeriod: Long.ONE }, 'cpu_period'],
  [{ cpuQuota: Long.ONE }, 'cpu_quota'],
  [{ cpuShares: Long.ONE }, 'cpu_shares'],
  [
    { memoryLimitInBytes: Long.fromNumber(1e8), memorySwapLimitInBytes: Long.fromNumber(1e7) },
    'memory_swap_limit_in_bytes',
  ],
];
/** Of these the kernel is asked only where a container is limited: a pod's own cgroup is kubelet's. */
const KERNELS = /cpuset\./;

/** An odd image's container with nothing odd in it. */
const SANE: runtime.v1.IContainerConfig = {
  image: { image: OWN.odd },
  workingDir: '/',
  linux: { securityContext: { runAsUser: { value: Long.ZERO } } },
};

describe('what cannot be', () => {
  let house: House;
  let podId: string;
  let containerId: string;
  beforeAll(async () => {
    house = await openHouse();
    for (const image of [BUSYBOX, OWN.odd]) await house.crictl.ok('pull', image);
    await mkdir(join(house.scratch.dir, 'dir'));
    await writeFile(join(house.scratch.dir, 'file'), '');
    podId = await runPod(house, await writePod(house));
    containerId = await create({});
    await callCri(house, 'StartContainer', { containerId });
  });
  afterAll(async () => {
    await house.crictl.ok('rmp', '-f', '-a');
    await house.close();
  });

  let counter = 0;

  async function create(config: runtime.v1.IContainerConfig): Promise<string> {
    const metadata = { name: `c${counter++}` };
    const image = { image: BUSYBOX };
    const request = { config: { metadata, image, command: [...IDLE], linux: {}, ...config } };
    return (await callCri(house, 'CreateContainer', { podSandboxId: podId, ...request })).containerId ?? '';
  }

  /** How its start is refused, after which it has ended. */
  async function startRefusal(config: runtime.v1.IContainerConfig) {
    const id = await create(config);
    const answer = await statusOf(callCri(house, 'StartContainer', { containerId: id }));
    const { status: end } = await callCri(house, 'ContainerStatus', { containerId: id });
    expect(end).toMatchObject({ state: CONTAINER_EXITED, exitCode: 128, reason: 'StartError' });
    return answer;
  }

  function run(linux: runtime.v1.ILinuxPodSandboxConfig) {
    const metadata = { name: `p${counter++}`, uid: 'u', namespace: 'n' };
    return statusOf(callCri(house, 'RunPodSandbox', { config: { metadata, linux } }));
  }

  it.each(REFUSED_SYSCTLS)('is a sysctl: %s = %s', async (name, value, said) => {
    const { code, details } = await run({ sysctls: { [name]: value } });
    expect([code, details]).toEqual([INVALID_ARGUMENT, expect.stringContaining(said)]);
  });

  it.each(['/a\nb', '/cgroup.procs', `/${'x'.repeat(256)}`, '/a\0'])('is a pod’s cgroup: %j', async (path) => {
    const { code } = await run({ cgroupParent: `${house.scratch.pods}${path}` });
    expect(code).toBe(INVALID_ARGUMENT);
  });

  it.each(REFUSED_PLACES)('is a mount: %s of a %s', async (containerPath, source, code, said) => {
    const mounts = [{ containerPath, hostPath: join(house.scratch.dir, source) }];
    const answer = await (code === INVALID_ARGUMENT ? statusOf(create({ mounts })) : startRefusal({ mounts }));
    expect([answer.code, answer.details]).toEqual([code, expect.stringContaining(said)]);
  });

  it.each([
    ['/ring', 'leads through too many links'],
    ['/ring/x', 'leads through too many links'],
    ['/top', "leads to the container's root"],
  ])('is a mount at a link of the image: %s', async (containerPath, said) => {
    const mounts = [{ containerPath, hostPath: join(house.scratch.dir, 'dir') }];
    const answer = await startRefusal({ ...SANE, mounts });
    expect(answer).toMatchObject({ code: FAILED_PRECONDITION, details: expect.stringContaining(said) });
  });

  it.each([
    ['a user', { linux: {} }, 'user'],
    ['a directory', { workingDir: '' }, 'the working directory of image'],
    ['a command', { command: [] }, 'the command of image'],
  ])('is %s of the image with a NUL', async (_, config, said) => {
    const answer = await startRefusal({ ...SANE, ...config });
    expect(answer).toMatchObject({ code: FAILED_PRECONDITION, details: expect.stringContaining(said) });
  });

  it('is a variable of the image with a NUL: it is left out', async () => {
    const id = await create(SANE);
    await callCri(house, 'StartContainer', { containerId: id });
    const { stdout } = await callCri(house, 'ExecSync', { containerId: id, cmd: ['env'] });
    const env = Buffer.from(stdout ?? '').toString();
    expect(env).toContain('GOOD=1\n');
    expect(env).not.toContain('BAD');
  });

  it.each(REFUSED_LIMITS)('is a limit, of whatever it is asked: %j', async (limit, said) => {
    const refusal = { code: INVALID_ARGUMENT, details: expect.stringContaining(said) };
    expect(await statusOf(create({ linux: { resources: limit } }))).toMatchObject(refusal);
    const update = callCri(house, 'UpdateContainerResources', { containerId, linux: limit });
    expect(await statusOf(update)).toMatchObject(refusal);
    if (KERNELS.test(said)) return;
    expect(await run({ resources: limit })).toMatchObject(refusal);
    const resize = callCri(house, 'UpdatePodSandboxResources', { podSandboxId: podId, resources: limit });
    expect(await statusOf(resize)).toMatchObject(refusal);
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', '-a');
    await house.assertEmpty();
  });
});
