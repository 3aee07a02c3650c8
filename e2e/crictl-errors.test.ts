import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { callEmpty } from './harness/raw-call.js';

const UNKNOWN = 'deadbeef'.repeat(8);

describe('crictl and what goes wrong', () => {
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

  it.each([
    ['inspectp', UNKNOWN],
    ['inspect', UNKNOWN],
    ['start', UNKNOWN],
    ['exec', '-s', UNKNOWN, 'true'],
    ['logs', UNKNOWN],
  ])('answers NotFound with the id: %s', async (...args) => {
    const said = await complaint(...args);
    expect(said).toContain('code = NotFound');
    expect(said).toContain(UNKNOWN);
  });

  it('answers NotFound to a container in an unknown pod', async () => {
    const said = await complaint('create', UNKNOWN, await writeContainer(house), pod.path);
    expect(said).toContain('code = NotFound');
    expect(said).toContain(UNKNOWN);
  });

  it('answers NotFound to a container of an unknown image', async () => {
    const image = 'registry.k8s.io/gantry-test/never-pulled:1';
    const said = await complaint('create', podId, await writeContainer(house, { image: { image } }), pod.path);
    expect(said).toContain('code = NotFound');
    expect(said).toContain(image);
  });

  // The others ask for the status first.
  it.each(['stopp', 'stop'])('has nothing against %s of an unknown id', async (command) => {
    expect(await house.crictl.ok(command, UNKNOWN)).toContain(UNKNOWN);
  });

  it.each([
    ['log_path', { log_path: '../outside.log' }],
    ['container_path', { mounts: [{ container_path: 'relative', host_path: '/tmp' }] }],
  ])('answers InvalidArgument with the name of a container’s field: %s', async (field, fields) => {
    const said = await complaint('create', podId, await writeContainer(house, fields), pod.path);
    expect(said).toContain('code = InvalidArgument');
    expect(said).toContain(field);
  });

  it.each([
    ['container_port', { port_mappings: [{ container_port: 70_000, host_port: 80 }] }],
    ['cgroup_parent', { linux: { cgroup_parent: '/a/../../b' } }],
    ['log_directory', { log_directory: 'relative' }],
  ])('answers InvalidArgument with the name of a pod’s field: %s', async (field, fields) => {
    const said = await complaint('runp', (await writePod(house, fields)).path);
    expect(said).toContain('code = InvalidArgument');
    expect(said).toContain(field);
  });

  it.each([
    ['RuntimeService/RunPodSandbox', 'config'],
    ['RuntimeService/StopPodSandbox', 'pod_sandbox_id'],
    ['RuntimeService/RemovePodSandbox', 'pod_sandbox_id'],
    ['RuntimeService/PodSandboxStatus', 'pod_sandbox_id'],
    ['RuntimeService/CreateContainer', 'pod_sandbox_id'],
    ['RuntimeService/StartContainer', 'container_id'],
    ['RuntimeService/StopContainer', 'container_id'],
    ['RuntimeService/RemoveContainer', 'container_id'],
    ['RuntimeService/ContainerStatus', 'container_id'],
    ['RuntimeService/ExecSync', 'cmd'],
    ['ImageService/PullImage', 'image'],
    ['ImageService/ImageStatus', 'image'],
    ['ImageService/RemoveImage', 'image'],
  ])('answers InvalidArgument to an empty %s, naming %s', async (method, field) => {
    const answer = await callEmpty(house, `/runtime.v1.${method}`);
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
    expect(answer.message).toContain(field);
  });

  it('answers Unimplemented with the name of an RPC that is not built', async () => {
    const answer = await callEmpty(house, '/runtime.v1.RuntimeService/CheckpointContainer');
    expect(answer.code).toBe(status.UNIMPLEMENTED);
    expect(answer.message).toContain('CheckpointContainer');
  });

  it('answers AlreadyExists to another pod of the same name', async () => {
    const { name, uid, namespace } = { name: 'twice', uid: 'twice', namespace: 'e2e' };
    const metadata = { name, uid, namespace, attempt: 0 };
    const first = await runPod(house, await writePod(house, { metadata }));
    const said = await complaint('runp', (await writePod(house, { metadata, hostname: 'other' })).path);
    expect(said).toContain('code = AlreadyExists');
    expect(said).toContain(first);
    await house.crictl.ok('rmp', '-f', first);
  });

  it('says why a container does not start, and leaves it removable', async () => {
    const container = await writeContainer(house, { command: ['/no/such/program'] });
    const created = await house.crictl.run('create', podId, container, pod.path);
    const failed = created.code === 0 ? await house.crictl.run('start', created.stdout.trim()) : created;
    expect(failed.stderr).toContain('/no/such/program');
    if (created.code === 0) await house.crictl.ok('rm', created.stdout.trim());
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
