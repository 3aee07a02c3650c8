import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { buildImages } from './images/build-images.js';
import { OWN } from './images/own-images.js';
import { HOST_PLATFORM } from '../scripts/oci-layout/image.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';

const STAGING = 'gcr.io/k8s-staging-cri-tools';

interface ImageView {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: string;
  /** Absent for an image whose user is a name. */
  readonly uid?: { readonly value: string } | null;
  readonly username: string;
}

describe('crictl and images', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());

  async function images(): Promise<readonly ImageView[]> {
    return ((await house.crictl.json('images')) as { images: ImageView[] }).images;
  }

  async function inspecti(name: string): Promise<ImageView> {
    return ((await house.crictl.json('inspecti', name)) as { status: ImageView }).status;
  }

  /** What a command prints in a container of the image. */
  async function inImage(image: string, ...command: string[]): Promise<string> {
    await house.crictl.ok('pull', image);
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    try {
      const container = await writeContainer(house, { image: { image } });
      return await house.crictl.ok('exec', '-s', await runContainer(house, podId, { pod, container }), ...command);
    } finally {
      await house.crictl.ok('rmp', '-f', podId);
    }
  }

  it('pulls by tag, lists and inspects', async () => {
    expect(await images()).toEqual([]);
    const said = await house.crictl.ok('pull', BUSYBOX);
    const [listed, ...others] = await images();
    expect(others).toEqual([]);
    expect(listed?.repoTags).toEqual([BUSYBOX]);
    expect(listed?.id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(said).toContain(listed?.id);
    expect(Number(listed?.size)).toBeGreaterThan(1_000_000);
    expect(await inspecti(BUSYBOX)).toMatchObject({ id: listed?.id, repoTags: [BUSYBOX] });
    expect(await inspecti(listed?.id ?? '')).toMatchObject({ repoTags: [BUSYBOX] });
  });

  it('pulls by digest', async () => {
    const name = OWN.docker.replace(/:1$/, '');
    const found = (await buildImages()).find((each) => each.name === OWN.docker);
    const reference = `${name}@${found?.root.digest ?? ''}`;
    await house.crictl.ok('pull', reference);
    expect(await inspecti(reference)).toMatchObject({ repoTags: [], repoDigests: [reference] });
  });

  it('takes this platform from lists of both dialects', async () => {
    for (const name of [OWN.platforms, OWN.dockerPlatforms]) {
      expect(await inImage(name, 'cat', '/platform')).toBe(`linux/${HOST_PLATFORM.architecture}`);
    }
  });

  it('refuses a list without this platform, and names both', async () => {
    const { code, stderr } = await house.crictl.run('pull', OWN.foreign);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`linux/${HOST_PLATFORM.architecture}`);
    expect(stderr).toContain(OWN.foreign);
  });

  it.each([OWN.docker, OWN.plain])('runs %s', async (name) => {
    expect(await inImage(name, 'echo', 'runs')).toBe('runs');
  });

  it('applies whiteouts, opaque directories and attributes of parents', async () => {
    const script = 'ls /story /story/opaque; cat /story/dir-to-link; stat -c "%a %u %g" /story/shut; ls /story/shut';
    expect((await inImage(OWN.layered, 'sh', '-c', script)).split('\n')).toEqual([
      '/story:',
      'dir-to-link',
      'kept',
      'new',
      'opaque',
      'shut',
      '',
      '/story/opaque:',
      'late',
      'kept',
      '700 7 7',
      'inner',
    ]);
  });

  it('tells the user of an image', async () => {
    const names = ['uid', 'username'].map((what) => `${STAGING}/test-image-user-${what}:latest`);
    for (const name of names) await house.crictl.ok('pull', name);
    const [byUid, byName] = await Promise.all(names.map(inspecti));
    expect(byUid).toMatchObject({ uid: { value: '1002' }, username: '' });
    expect(byName).toMatchObject({ username: 'www-data' });
    expect(byName?.uid ?? undefined).toBeUndefined();
  });

  it('gives one image all of its tags, and removes it by any of them', async () => {
    const tags = ['1', '2', '3'].map((tag) => `${STAGING}/test-image-tags:${tag}`);
    for (const tag of tags) await house.crictl.ok('pull', tag);
    expect((await inspecti(tags[0] ?? '')).repoTags).toEqual(tags);
    await house.crictl.ok('rmi', tags[1] ?? '');
    for (const tag of tags) {
      expect((await house.crictl.run('inspecti', tag)).stderr).toContain('no such image');
    }
  });

  it('removes them all', async () => {
    await house.crictl.ok('rmi', '--all');
    expect(await images()).toEqual([]);
  });

  it('says what it cannot pull', async () => {
    const { code, stderr } = await house.crictl.run('pull', 'registry.k8s.io/gantry-test/none:1');
    expect(code).not.toBe(0);
    expect(stderr).toContain('code = NotFound');
    expect(stderr).toContain('registry.k8s.io/gantry-test/none:1');
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
