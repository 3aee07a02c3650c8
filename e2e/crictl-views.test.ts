import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';

import { isCgroupV2 } from '../src/oci/cgroup.js';
import { hasController, readCgroupFile, type CgroupFile } from './harness/cgroup-file.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';
import { startStream } from './harness/stream.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;

const MEMORY: CgroupFile = { v1: ['memory', 'memory.limit_in_bytes'], v2: 'memory.max' };
const SHARES: CgroupFile = { v1: ['cpu', 'cpu.shares'], v2: 'cpu.weight' };
const QUOTA: CgroupFile = { v1: ['cpu', 'cpu.cfs_quota_us'], v2: 'cpu.max' };
const CPUS: CgroupFile = { v1: ['cpuset', 'cpuset.cpus'], v2: 'cpuset.cpus' };

/** The part of verbose answers that users of the peers look for. */
interface VerboseInfo {
  readonly pid: number;
  readonly sandboxID: string;
  readonly config: object;
  readonly cniResult: { readonly ips: readonly { readonly address: string }[] };
  readonly runtimeSpec: { readonly ociVersion: string; readonly process: { readonly args: readonly string[] } };
}

describe('what crictl shows and changes', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
    id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  });
  afterAll(() => house.close());

  async function infoOf(command: string, of: string): Promise<VerboseInfo> {
    return ((await house.crictl.json(command, of)) as { info: VerboseInfo }).info;
  }

  async function template(text: string, command: string, ...args: string[]): Promise<string> {
    return house.crictl.ok(command, '-o', 'go-template', '--template', text, ...args);
  }

  it('shows configuration and CNI state', async () => {
    const info = (await house.crictl.json('info')) as { config: object; cni: object; runtimeHandlers: object[] };
    expect(info.config).toMatchObject({ root: house.scratch.root, cgroupDriver: SETTINGS.cgroupDriver });
    expect(info.cni).toMatchObject({ network: house.scratch.network, ready: true, file: '10-e2e.conflist' });
    expect(info.runtimeHandlers).toContainEqual(expect.objectContaining({ name: SETTINGS.runtime }));
    expect(load(await house.crictl.ok('info', '-o', 'yaml'))).toEqual(info);
    expect(await template('{{.config.root}}', 'info')).toBe(house.scratch.root);
    expect(await house.crictl.json('info', '-q')).not.toHaveProperty('config');
  });

  it('tells the cgroup driver, and takes a pod network', async () => {
    const driver = SETTINGS.cgroupDriver.toUpperCase();
    expect(await house.crictl.ok('runtime-config')).toMatch(new RegExp(`cgroup driver: +${driver}`));
    expect(await house.crictl.run('update-runtime-config', '--pod-cidr', '10.1.2.0/24')).toMatchObject({ code: 0 });
  });

  it('shows what a container runs and in which sandbox', async () => {
    const info = await infoOf('inspect', id);
    expect(info).toMatchObject({ sandboxID: podId, pid: (await inspect(house, id)).info.pid });
    expect(info.runtimeSpec.process.args[0]).toBe('sh');
    expect(info.config).toMatchObject({ image: BUSYBOX });
    expect(await template('{{.status.state}} {{.info.pid}}', 'inspect', id)).toBe(`CONTAINER_RUNNING ${info.pid}`);
    const table = await house.crictl.ok('inspect', '-o', 'table', id);
    for (const text of [`ID: ${id}`, 'State: CONTAINER_RUNNING']) expect(table).toContain(text);
    expect(load(await house.crictl.ok('inspect', '-o', 'yaml', id))).toMatchObject({ info: { sandboxID: podId } });
    expect(await house.crictl.json('inspect', '-q', id)).not.toHaveProperty('info');
    expect(await house.crictl.json('inspect', '--pod', podId)).toMatchObject({ status: { id } });
  });

  it('shows a pod’s process, network and configuration', async () => {
    const info = await infoOf('inspectp', podId);
    expect(info.pid).toBeGreaterThan(1);
    expect(info.cniResult.ips[0]?.address.startsWith(`${house.scratch.subnet}.`)).toBe(true);
    expect(info.config).toMatchObject({ metadata: { name: pod.name }, hostname: pod.name });
    expect(info.runtimeSpec.ociVersion).toMatch(/^1\./);
    const address = '{{(index .info.cniResult.ips 0).address}}';
    expect(await template(address, 'inspectp', podId)).toBe(info.cniResult.ips[0]?.address);
    const table = await house.crictl.ok('inspectp', '-o', 'table', podId);
    for (const text of [`ID: ${podId}`, `Name: ${pod.name}`, 'Status: SANDBOX_READY']) expect(table).toContain(text);
    expect(load(await house.crictl.ok('inspectp', '-o', 'yaml', podId))).toMatchObject({ info: { pid: info.pid } });
  });

  it('shows an image in every format', async () => {
    const { status } = (await house.crictl.json('inspecti', BUSYBOX)) as { status: { id: string } };
    expect(await template('{{.status.id}}', 'inspecti', BUSYBOX)).toBe(status.id);
    expect(await house.crictl.ok('inspecti', '-o', 'table', BUSYBOX)).toContain(`Tag: ${BUSYBOX}`);
    expect(load(await house.crictl.ok('inspecti', '-o', 'yaml', BUSYBOX))).toMatchObject({ status: { id: status.id } });
  });

  it('counts what images take', async () => {
    const { status } = (await house.crictl.json('imagefsinfo')) as {
      status: { imageFilesystems: { usedBytes: { value: string }; fsId: { mountpoint: string } }[] };
    };
    const [images] = status.imageFilesystems;
    expect(Number(images?.usedBytes.value)).toBeGreaterThan(MIB);
    expect(images?.fsId.mountpoint.startsWith(house.scratch.root)).toBe(true);
    const text = images?.fsId.mountpoint ?? 'none';
    for (const format of ['table', 'yaml']) expect(await house.crictl.ok('imagefsinfo', '-o', format)).toContain(text);
  });

  it('shows what containers and pods use', async () => {
    const { stats } = (await house.crictl.json('stats')) as { stats: { attributes: { id: string } }[] };
    expect(stats.map(({ attributes }) => attributes.id)).toEqual([id]);
    expect(await house.crictl.ok('stats', '-o', 'table', '--id', id.slice(0, 13))).toContain(id.slice(0, 13));
    expect(await house.crictl.ok('statsp')).toContain(podId.slice(0, 13));
  });

  it('changes the limits of a container', async () => {
    const { pid = 0 } = (await inspect(house, id)).info;
    await house.crictl.ok('update', '--memory', String(64 * MIB), id);
    expect(await readCgroupFile(pid, MEMORY)).toBe(String(64 * MIB));
    await house.crictl.ok('update', '--cpu-share', '512', id);
    await house.crictl.ok('update', '--cpu-period', '50000', '--cpu-quota', '25000', id);
    expect(await readCgroupFile(pid, SHARES)).toBe(isCgroupV2() ? '20' : '512');
    expect(await readCgroupFile(pid, QUOTA)).toBe(isCgroupV2() ? '25000 50000' : '25000');
    expect(await readCgroupFile(pid, MEMORY)).toBe(String(64 * MIB));
    const linux = { memoryLimitInBytes: String(64 * MIB), cpuShares: '512', cpuQuota: '25000', cpuPeriod: '50000' };
    expect((await house.crictl.json('inspect', id)) as object).toMatchObject({ status: { resources: { linux } } });
  });

  // User-Mode Linux has no cpuset.
  const withCpuset = hasController('cpuset') ? it : it.skip;

  withCpuset('keeps the limits that the kernel refuses to change', async () => {
    const { pid = 0 } = (await inspect(house, id)).info;
    await house.crictl.ok('update', '--cpuset-cpus', '0', id);
    expect(await readCgroupFile(pid, CPUS)).toBe('0');
    const refused = await house.crictl.run('update', '--cpuset-cpus', '4000', id);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('cpuset');
    const linux = { cpusetCpus: '0' };
    expect((await house.crictl.json('inspect', id)) as object).toMatchObject({ status: { resources: { linux } } });
  });

  it('tells of events as they come', async () => {
    const stream = await startStream(house, 'events', 'events');
    try {
      const text = async (): Promise<string> => (await stream.text()).replaceAll(/\s/g, '');
      // Nobody says when the stream is open: pods come and go until one is seen.
      const seen = await waitFor('event of a pod', 20_000, async () => {
        const own = await runPod(house, await writePod(house));
        await house.crictl.ok('rmp', '-f', own);
        return (await text()).includes(`"containerId":"${own}"`) ? own : undefined;
      });
      const types = await waitFor('last event of the pod', 10_000, async () => {
        const found = (await text()).matchAll(/"containerId":"(\w+)","containerEventType":"CONTAINER_(\w+)_EVENT"/g);
        const own = [...found].filter(([, of]) => of === seen).map(([, , type]) => type);
        return own.includes('DELETED') ? own : undefined;
      });
      expect(types).toEqual(['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
    } finally {
      await stream.stop();
    }
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
