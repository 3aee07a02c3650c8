import { randomBytes } from 'node:crypto';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { errnoOf } from '../src/base/errors.js';
import { mount } from '../src/base/sys/sys.js';
import { kernelTellsExitCodes } from '../src/base/testing.js';
import { imageOf } from '../src/image-service/image-fixture.js';
import { openHouse, type House } from './harness/house.js';
import { strayImageFiles } from './harness/image-files.js';
import { BUSYBOX, inspect, runContainer, runPod, runWorkload, writeContainer, writePod } from './harness/pods.js';
import { waitFor } from './harness/wait.js';
import { pushAll } from './images/push.js';
import { layoutAs, writeFixture } from './unpack/layouts.js';

const LAYERED = 'registry.k8s.io/full/layered:1';
const LAYER = 6 << 20;
const NGINX = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

describe('a full disk', () => {
  let house: House;
  const filler = (): string => join(house.scratch.root, 'filler');
  beforeAll(async () => {
    house = await openHouse(async ({ root }) => {
      await mount({ source: 'tmpfs', target: root, type: 'tmpfs', data: 'size=64m' });
      return {};
    });
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    await rm(filler(), { force: true });
    await house.crictl.ok('rmp', '-fa');
    await house.crictl.ok('pull', BUSYBOX);
  });

  async function free(): Promise<number> {
    const { bavail, bsize } = await statfs(house.scratch.root);
    return bavail * bsize;
  }

  /** Leaves so many bytes on the daemon's disk. */
  async function fill(room = 0): Promise<void> {
    try {
      await writeFile(filler(), Buffer.alloc((await free()) - room));
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC') throw error;
    }
  }

  async function refusal(...args: string[]): Promise<string> {
    const { code, stderr } = await house.crictl.run(...args);
    expect(code).not.toBe(0);
    expect(stderr).toContain('code = ResourceExhausted');
    expect(stderr).toMatch(/ENOSPC|no space left/i);
    return stderr;
  }

  it('is told to who wants a pod, and leaves nothing of it', async () => {
    await fill();
    const pod = await writePod(house);
    await refusal('runp', pod.path);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    await rm(filler());
    await house.assertEmpty();
    await house.crictl.ok('rmp', '-f', await runPod(house, pod));
  });

  it('is told to who wants a container, and leaves nothing of it', async () => {
    const pod = await writePod(house);
    const id = await runPod(house, pod);
    await fill();
    const container = await writeContainer(house);
    await refusal('create', id, container, pod.path);
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
    await rm(filler());
    await runContainer(house, id, { pod, container });
    await house.crictl.ok('rmp', '-f', id);
    await house.assertEmpty();
  });

  it('is told to who wants an image, and leaves nothing of it', async () => {
    await fill();
    expect(await refusal('pull', NGINX)).toContain(NGINX);
    const { images } = (await house.crictl.json('images')) as { images: { repoTags: string[] }[] };
    expect(images.flatMap(({ repoTags }) => repoTags)).toEqual([BUSYBOX]);
    await rm(filler());
    await house.crictl.ok('pull', NGINX);
    await house.crictl.ok('rmi', NGINX);
  });

  it('in the middle of a pull is told, and takes nothing with it', async () => {
    const layers = Array.from({ length: 5 }, (_, layer) => [{ name: `f${layer}`, data: randomBytes(LAYER) }]);
    const layout = join(house.scratch.dir, 'layered');
    await mkdir(layout);
    await writeFixture(layout, imageOf({ layers }));
    await pushAll(house.registry.address, [await layoutAs(layout, LAYERED)]);
    const before = await free();
    // The last one has room for the layers, but hardly for what is written of them.
    for (const room of [0.5 * LAYER, 1.5 * LAYER, 3.5 * LAYER, 5 * LAYER]) {
      await fill(room);
      expect(await refusal('pull', LAYERED)).toContain(LAYERED);
      await waitFor('room', 10_000, async () => ((await free()) >= room ? true : undefined));
      await waitFor('tidy store', 10_000, async () =>
        (await strayImageFiles(house.scratch.root)).length === 0 ? true : undefined,
      );
      await rm(filler());
    }
    await house.crictl.ok('pull', LAYERED);
    await house.crictl.ok('rmi', LAYERED);
    await waitFor('room', 10_000, async () => ((await free()) >= before ? true : undefined));
  }, 60_000);

  it('does not keep pods from being listed, stopped and removed', async () => {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    await fill();
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
    expect(await house.crictl.ok('exec', '-s', id, 'echo', 'still here')).toBe('still here');
    await house.crictl.ok('stop', '--timeout', '10', id);
    expect((await inspect(house, id)).status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 0 });
    await house.crictl.ok('rm', id);
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('is no reason not to start', async () => {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    await fill();
    await house.daemon.kill9();
    await house.daemon.start();
    expect(await house.crictl.ok('pods', '-q')).toBe(podId);
    await rm(filler());
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('leaves nothing behind', async () => {
    await rm(filler(), { force: true });
    await house.crictl.ok('rmp', '-fa');
    await house.assertEmpty();
  });
});

describe.each([[['state']], [['state', 'root']]] as const)('a full disk under %j', (disks) => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(async (scratch) => {
      for (const name of disks)
        await mount({ source: 'tmpfs', target: scratch[name], type: 'tmpfs', data: 'size=64m' });
      return {};
    });
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    await empty();
    if (!house.daemon.running) await house.daemon.start();
    await house.crictl.ok('rmp', '-fa');
    await house.crictl.ok('pull', BUSYBOX);
  });

  async function empty(): Promise<void> {
    for (const name of disks) await rm(join(house.scratch[name], 'filler'), { force: true });
  }

  async function fill(): Promise<void> {
    for (const name of disks) {
      const { bavail, bsize } = await statfs(house.scratch[name]);
      await writeFile(join(house.scratch[name], 'filler'), Buffer.alloc(bavail * bsize)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOSPC') throw error;
      });
    }
  }

  it('does not keep containers and pods from being stopped and removed', async () => {
    const { podId, id } = await runWorkload(house);
    await fill();
    await house.crictl.ok('stop', '--timeout', '10', id);
    // conmon cannot write it down; the kernel says it, if it is new enough.
    const exitCode = kernelTellsExitCodes() ? 0 : 255;
    expect((await inspect(house, id)).status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode });
    await house.crictl.ok('rm', id);
    await house.crictl.ok('stopp', podId);
    await house.crictl.ok('rmp', podId);
    await house.assertEmpty();
  });

  it('loses nothing over a start, nor of what was left half-way', async () => {
    const [whole, half] = [await runWorkload(house), await runWorkload(house)];
    const { pid } = (await inspect(house, whole.id)).info;
    await house.daemon.kill9();
    for (const [kind, id] of [
      ['sandboxes', half.podId],
      ['containers', half.id],
    ] as const)
      await writeFile(
        join(house.scratch.root, kind, id, 'status.json'),
        JSON.stringify({ version: 1, state: 'removing' }),
      );
    await fill();
    await house.daemon.start();
    expect(await house.crictl.ok('pods', '-q')).toBe(whole.podId);
    expect((await inspect(house, whole.id)).info.pid).toBe(pid);
    await house.crictl.ok('stopp', whole.podId);
    expect((await inspect(house, whole.id)).status.state).toBe('CONTAINER_EXITED');
    await house.crictl.ok('rmp', whole.podId);
    await house.assertEmpty();
  });

  it('is told to who wants a pod or a container, and leaves nothing of it', async () => {
    const { podId } = await runWorkload(house);
    const pod = await writePod(house);
    await fill();
    for (const args of [
      ['runp', pod.path],
      ['create', podId, await writeContainer(house), pod.path],
    ]) {
      const { code, stderr } = await house.crictl.run(...args);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/ENOSPC|no space left/i);
    }
    expect(await house.crictl.ok('pods', '-q')).toBe(podId);
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
