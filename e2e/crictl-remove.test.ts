import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, inspectPod, runWorkload, writeContainer, writePod } from './harness/pods.js';

const NGINX = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

/** Three chains of directories, each as long as a path may well be, moved into each other. */
const NEST = `p=$(printf 'd/%.0s' $(seq 900)); mkdir -p /n1/$p /n2/$p /n3/$p; mv /n2 /n1/$p; mv /n1 /n3/$p; echo x >/n3/f`;

describe('crictl and what goes away', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    await house.crictl.ok('pull', BUSYBOX);
  });

  async function list(command: string, ...args: string[]): Promise<string[]> {
    return (await house.crictl.ok(command, '-q', ...args)).split('\n').filter(Boolean);
  }

  it('runs a container in a pod of its own with one command', async () => {
    const pod = await writePod(house);
    const id = await house.crictl.ok('run', '--with-pull', await writeContainer(house), pod.path);
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
    expect(await list('ps')).toEqual([id]);
    await house.crictl.ok('rmp', '-fa');
  });

  it('does not remove what runs, unless forced to', async () => {
    const { podId, id } = await runWorkload(house);
    expect((await house.crictl.run('rm', id)).stderr).toContain('is running');
    expect((await house.crictl.run('rmp', podId)).stderr).toContain('is running');
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
    await house.crictl.ok('rm', '-f', id);
    expect(await list('ps', '-a')).toEqual([]);
    await house.crictl.ok('rmp', '-f', podId);
    expect(await list('pods')).toEqual([]);
  });

  it('stops and removes several at once', async () => {
    const [first, second, third] = await Promise.all([runWorkload(house), runWorkload(house), runWorkload(house)]);
    await house.crictl.ok('stop', '--timeout', '10', first.id, second.id);
    expect(await list('ps')).toEqual([third.id]);
    await house.crictl.ok('rm', first.id, second.id);
    expect(await list('ps', '-a')).toEqual([third.id]);
    await house.crictl.ok('stopp', first.podId, second.podId);
    expect((await inspectPod(house, first.podId)).status.state).toBe('SANDBOX_NOTREADY');
    await house.crictl.ok('rmp', first.podId, second.podId);
    expect(await list('pods')).toEqual([third.podId]);
    await house.crictl.ok('rmp', '-f', third.podId);
  });

  it('removes all containers and all pods', async () => {
    const [first, second] = await Promise.all([runWorkload(house), runWorkload(house)]);
    await house.crictl.ok('rm', '-fa');
    expect(await list('ps', '-a')).toEqual([]);
    await house.crictl.ok('stopp', first.podId, second.podId);
    await house.crictl.ok('rmp', '-a');
    expect(await list('pods')).toEqual([]);
    await Promise.all([runWorkload(house), runWorkload(house)]);
    await house.crictl.ok('rmp', '-fa');
    expect(await list('pods')).toEqual([]);
    await house.assertEmpty();
  });

  it('removes a container that made directories deeper than the longest path', async () => {
    const { podId, id } = await runWorkload(house);
    await house.crictl.ok('exec', '-s', id, 'sh', '-c', NEST);
    await house.crictl.ok('rm', '-f', id);
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('prunes the images that no container has', async () => {
    await house.crictl.ok('pull', NGINX);
    const { podId } = await runWorkload(house);
    await house.crictl.ok('rmi', '--prune');
    const { images } = (await house.crictl.json('images')) as { images: { repoTags: string[] }[] };
    expect(images.flatMap(({ repoTags }) => repoTags)).toEqual([BUSYBOX]);
    await house.crictl.ok('rmp', '-f', podId);
  });

  it('does not break a container by removing its image', async () => {
    const { podId, id } = await runWorkload(house);
    await house.crictl.ok('rmi', '-a');
    expect(await list('images')).toEqual([]);
    expect(await house.crictl.ok('exec', '-s', id, 'echo', 'still here')).toBe('still here');
    await house.crictl.ok('rmp', '-f', podId);
    const { status } = (await house.crictl.json('imagefsinfo')) as {
      status: { imageFilesystems: { usedBytes: { value: string } }[] };
    };
    expect(status.imageFilesystems.map(({ usedBytes }) => usedBytes.value)).toEqual(['0']);
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
