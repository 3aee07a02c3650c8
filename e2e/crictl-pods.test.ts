import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Long from 'long';

import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import {
  BUSYBOX,
  inspect,
  inspectPod,
  runContainer,
  runPod,
  writeContainer,
  writePod,
  type PodFile,
} from './harness/pods.js';
import { freePort } from './harness/ports.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const NGINX = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

describe('crictl and pods', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    for (const image of [BUSYBOX, NGINX]) await house.crictl.ok('pull', image);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  /** Runs a container of the common pod. */
  async function running(fields?: object): Promise<string> {
    return runContainer(house, podId, { pod, container: await writeContainer(house, fields) });
  }

  function shell(script: string): object {
    return { command: ['sh', '-c', script] };
  }

  async function exited(id: string): Promise<void> {
    await waitFor('end of the container', 10_000, async () =>
      (await inspect(house, id)).status.state === 'CONTAINER_EXITED' ? true : undefined,
    );
  }

  it('tells version and condition', async () => {
    const version = await house.crictl.ok('version');
    expect(version).toMatch(/RuntimeName: {2}gantry/);
    expect(version).toMatch(/RuntimeApiVersion: {2}v1/);
    const { status } = (await house.crictl.json('info')) as { status: { conditions: object[] } };
    expect(status.conditions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'RuntimeReady', status: true }),
        expect.objectContaining({ type: 'NetworkReady', status: true }),
      ]),
    );
  });

  it('lists and inspects a pod', async () => {
    const { items } = (await house.crictl.json('pods')) as { items: { id: string; state: string }[] };
    expect(items).toEqual([expect.objectContaining({ id: podId, state: 'SANDBOX_READY' })]);
    const { status } = await inspectPod(house, podId);
    expect(status).toMatchObject({ id: podId, state: 'SANDBOX_READY', metadata: { name: pod.name, namespace: 'e2e' } });
    expect(status.network.ip.startsWith(`${house.scratch.subnet}.`)).toBe(true);
    expect(await house.crictl.ok('pods', '-q', '--id', podId.slice(0, 12))).toBe(podId);
  });

  it('creates, starts, lists and inspects a container', async () => {
    const id = await house.crictl.ok('create', podId, await writeContainer(house), pod.path);
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_CREATED');
    expect(await house.crictl.ok('ps', '-aq')).toBe(id);
    await house.crictl.ok('start', id);
    const { status, info } = await inspect(house, id);
    expect(status).toMatchObject({ id, state: 'CONTAINER_RUNNING', image: { image: BUSYBOX } });
    expect(await readFile(`/proc/${info.pid ?? 0}/comm`, 'utf8')).toBe('sh\n');
    const { containers } = (await house.crictl.json('ps')) as { containers: object[] };
    expect(containers).toEqual([expect.objectContaining({ id, podSandboxId: podId, imageId: status.imageId })]);
    await house.crictl.ok('stop', '--timeout', '10', id);
    expect((await inspect(house, id)).status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 0 });
    await house.crictl.ok('rm', id);
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  });

  it('shows the image by the name that the pod has for it, though kubelet asks by id', async () => {
    const { image: found } = await callCri(house, 'ImageStatus', { image: { image: BUSYBOX } });
    const [imageId, digested] = [found?.id ?? '', found?.repoDigests?.[0] ?? ''];
    const pulled = await callCri(house, 'PullImage', { image: { image: BUSYBOX, runtimeHandler: SETTINGS.runtime } });
    expect(pulled.imageRef).toBe(imageId);
    const image = { image: imageId, userSpecifiedImage: BUSYBOX };
    const config = { metadata: { name: 'by-id' }, image };
    const created = await callCri(house, 'CreateContainer', { podSandboxId: podId, config });
    const containerId = created.containerId ?? '';
    const { status } = await callCri(house, 'ContainerStatus', { containerId });
    const { containers } = await callCri(house, 'ListContainers', { filter: { id: containerId } });
    expect(status).toMatchObject({ imageId, imageRef: digested, image: { ...image, image: BUSYBOX } });
    expect(containers).toMatchObject([{ imageId, imageRef: digested, image }]);
    const foreign = { ...config, image: { ...image, runtimeHandler: 'kata' } };
    const error: unknown = await callCri(house, 'CreateContainer', { podSandboxId: podId, config: foreign }).catch(
      (thrown: unknown) => thrown,
    );
    expect((error as Error).message).toContain('config.image.runtime_handler "kata" is no handler of this node');
    await house.crictl.ok('rm', containerId);
  });

  it('keeps the log in the CRI format', async () => {
    const id = await running(shell('echo to stdout; echo to stderr >&2; printf partial'));
    await exited(id);
    const { logPath } = (await inspect(house, id)).status;
    expect(logPath.startsWith(`${pod.logDirectory}/`)).toBe(true);
    const lines = (await readFile(logPath, 'utf8')).trimEnd().split('\n');
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(Z|[+-]\d\d:\d\d) /;
    expect(lines.every((line) => time.test(line))).toBe(true);
    const texts = lines.map((line) => line.replace(time, '')).sort();
    expect(texts).toEqual(['stderr F to stderr', 'stdout F to stdout', 'stdout P partial']);
    const { stdout, stderr } = await house.crictl.run('logs', id);
    expect([stdout, stderr]).toEqual(['to stdout\npartial', 'to stderr\n']);
    await house.crictl.ok('rm', id);
  });

  it('executes commands with their output and exit code', async () => {
    const id = await running();
    const script = 'echo out; echo err >&2; exit 3';
    const result = await house.crictl.run('exec', '-s', id, 'sh', '-c', script);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('exited with 3: err');
    expect(await house.crictl.ok('exec', '-s', id, 'hostname')).toBe(pod.name);
    const late = await house.crictl.run('exec', '-s', '--timeout', '1', id, 'sleep', '60');
    expect(late.stderr).toContain('code = DeadlineExceeded');
    // What was cut short is killed: only the container's own sleep is left.
    await waitFor('end of the command', 3_000, async () =>
      (await house.crictl.ok('exec', '-s', id, 'pgrep', 'sleep')).includes('\n') ? undefined : true,
    );
    await house.crictl.ok('rm', '-f', id);
  });

  it.each([
    ['exit 42', 42, 'Error'],
    ['true', 0, 'Completed'],
  ])('tells how "%s" ended', async (script, exitCode, reason) => {
    const id = await running(shell(script));
    await exited(id);
    const { status } = await inspect(house, id);
    expect(status).toMatchObject({ exitCode, reason });
    expect(Date.parse(status.finishedAt)).toBeGreaterThanOrEqual(Date.parse(status.startedAt));
    await house.crictl.ok('rm', id);
  });

  it('tells of an end by a signal', async () => {
    const id = await running();
    process.kill((await inspect(house, id)).info.pid ?? 0, 'SIGKILL');
    await exited(id);
    expect((await inspect(house, id)).status).toMatchObject({ exitCode: 137, reason: 'Error' });
    await house.crictl.ok('rm', id);
  });

  it('kills what does not stop in time', async () => {
    const id = await running(shell('trap "" TERM; while :; do sleep 1; done'));
    const started = Date.now();
    await house.crictl.ok('stop', '--timeout', '1', id);
    expect(Date.now() - started).toBeLessThan(patience(6_000));
    expect((await inspect(house, id)).status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 137 });
    await house.crictl.ok('rm', id);
  });

  it('serves the pod at its address, and gives it a way out', async () => {
    const id = await running({ image: { image: NGINX }, command: ['/usr/sbin/nginx', '80'] });
    const { ip } = (await inspectPod(house, podId)).status.network;
    const page = await waitFor('answer of the pod', 10_000, async () => (await fetch(`http://${ip}/`)).text());
    expect(page).toContain('It works!');
    expect(await house.crictl.ok('exec', '-s', id, 'wget', '-qO', '-', 'http://127.0.0.1/')).toContain('It works!');
    const gateway = `${house.scratch.subnet}.1`;
    expect(await house.crictl.ok('exec', '-s', id, 'ping', '-c', '1', gateway)).toContain('1 packets received');
    await house.crictl.ok('rm', '-f', id);
  });

  it('publishes a port of the pod on the host', async () => {
    const hostPort = await freePort();
    const fields = { port_mappings: [{ container_port: 80, host_port: hostPort, protocol: 0 }] };
    const published = await writePod(house, fields);
    const id = await runPod(house, published);
    const container = { image: { image: NGINX }, command: ['/usr/sbin/nginx', '80'] };
    await runContainer(house, id, { pod: published, container: await writeContainer(house, container) });
    const url = `http://127.0.0.1:${hostPort}/`;
    expect(await waitFor('published page', 10_000, async () => (await fetch(url)).text())).toContain('It works!');
    await house.crictl.ok('rmp', '-f', id);
    await expect(fetch(url)).rejects.toThrow();
  });

  it('gives the pod its DNS configuration, sysctls, files and shared memory', async () => {
    const own = await writePod(house, {
      dns_config: { servers: ['10.10.10.10'], searches: ['a.example'], options: ['ndots:8'] },
      linux: { sysctls: { 'net.ipv4.ip_local_port_range': '20000 30000', 'kernel.shm_rmid_forced': '1' } },
    });
    const id = await runPod(house, own);
    const first = await runContainer(house, id, { pod: own, container: await writeContainer(house) });
    const second = await runContainer(house, id, { pod: own, container: await writeContainer(house) });
    const sh = (container: string, script: string): Promise<string> =>
      house.crictl.ok('exec', '-s', container, 'sh', '-c', script);
    const resolver = ['nameserver 10.10.10.10', 'options ndots:8', 'search a.example'];
    expect((await sh(first, 'cat /etc/resolv.conf')).split('\n').sort()).toEqual(resolver);
    expect(await sh(first, 'cat /proc/sys/net/ipv4/ip_local_port_range')).toBe('20000\t30000');
    expect(await sh(first, 'cat /proc/sys/kernel/shm_rmid_forced')).toBe('1');
    await sh(first, 'echo shared > /dev/shm/x; echo own > /tmp/x');
    expect(await sh(second, 'cat /dev/shm/x; ls /tmp')).toBe('shared');
    await house.crictl.ok('rmp', '-f', id);
  });

  it('mounts directories of the host', async () => {
    const host = pod.logDirectory;
    const mounts = [
      { container_path: '/rw', host_path: host },
      { container_path: '/ro', host_path: host, readonly: true },
    ];
    const id = await running({ mounts });
    await house.crictl.ok('exec', '-s', id, 'sh', '-c', 'echo written > /rw/file');
    expect(await readFile(join(host, 'file'), 'utf8')).toBe('written\n');
    const refused = await house.crictl.run('exec', '-s', id, 'sh', '-c', 'echo x > /ro/file');
    expect(refused.stderr).toContain('Read-only file system');
    await house.crictl.ok('rm', '-f', id);
  });

  it('keeps overhead and resources of a pod, as made and as changed', async () => {
    const amount = (milli: number) => ({ cpu_quota: milli * 100, cpu_period: 100_000 });
    const own = await writePod(house, { linux: { overhead: amount(10), resources: amount(500) } });
    const id = await runPod(house, own);
    const kept = async (): Promise<object> =>
      ((await house.crictl.json('inspectp', id)) as { info: { resources: object } }).info.resources;
    expect(await kept()).toMatchObject({ overhead: { cpuQuota: 1_000 }, resources: { cpuQuota: 50_000 } });
    const resources = { cpuQuota: Long.fromNumber(70_000) };
    await callCri(house, 'UpdatePodSandboxResources', { podSandboxId: id, resources });
    expect(await kept()).toMatchObject({ overhead: { cpuQuota: 1_000 }, resources: { cpuQuota: 70_000 } });
    await house.crictl.ok('rmp', '-f', id);
  });

  it('stops and removes a pod with what runs in it', async () => {
    const id = await running();
    const { pid } = (await inspect(house, id)).info;
    await house.crictl.ok('stopp', podId);
    expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_NOTREADY');
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_EXITED');
    await expect(readFile(`/proc/${pid ?? 0}/comm`)).rejects.toThrow('ENOENT');
    await house.crictl.ok('stopp', podId);
    await house.crictl.ok('rmp', podId);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
