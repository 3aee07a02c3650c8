import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { load } from 'js-yaml';

import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { waitFor } from './harness/wait.js';

const NGINX = 'registry.k8s.io/e2e-test-images/nginx:1.14-2';

/** Ids by the names that the tests give, oldest first. */
type Ids = Readonly<Record<string, string>>;

describe('what crictl lists', () => {
  let house: House;
  let pods: Ids;
  let containers: Ids;
  beforeAll(async () => {
    house = await openHouse();
    for (const image of [BUSYBOX, NGINX]) await house.crictl.ok('pull', image);
    const front = await namedPod('front', 'blue', { tier: 'web', app: 'shop' });
    const back = await namedPod('back', 'green', { tier: 'data', app: 'shop' });
    const over = await namedPod('over', 'green', { tier: 'data' });
    await house.crictl.ok('stopp', over.id);
    pods = { front: front.id, back: back.id, over: over.id };
    const nginx = { image: { image: NGINX }, command: ['/usr/sbin/nginx', '80'] };
    const created = await house.crictl.ok('create', front.id, await named('created', front), front.file.path);
    const running = await run(front, await named('running', front, nginx));
    const other = await run(back, await named('other', back));
    const exited = await run(back, await named('exited', back, { command: ['true'] }));
    await ended(exited);
    containers = { created, running, other, exited };
  });
  afterAll(() => house.close());

  interface Pod {
    readonly id: string;
    readonly file: PodFile;
    readonly labels: object;
  }

  async function namedPod(name: string, namespace: string, own: object): Promise<Pod> {
    // kubelet's labels: crictl reads names and namespaces of a container's pod there.
    const labels = { ...own, 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.namespace': namespace };
    const file = await writePod(house, { metadata: { name, namespace, uid: name, attempt: 0 }, labels });
    return { id: await runPod(house, file), file, labels };
  }

  async function named(name: string, { labels }: Pod, fields: object = {}): Promise<string> {
    return writeContainer(house, { metadata: { name, attempt: 1 }, labels: { ...labels, role: name }, ...fields });
  }

  async function run({ id, file }: Pod, container: string): Promise<string> {
    return runContainer(house, id, { pod: file, container });
  }

  async function ended(id: string): Promise<void> {
    await waitFor('end of the container', 10_000, async () =>
      (await inspect(house, id)).status.state === 'CONTAINER_EXITED' ? true : undefined,
    );
  }

  /** The names of what a command lists, by their ids, in its order. */
  async function names(known: Ids, command: string, args: readonly string[]): Promise<string[]> {
    const ids = (await house.crictl.ok(command, '-q', ...args)).split('\n').filter(Boolean);
    return ids.map((id) => Object.keys(known).find((name) => known[name] === id) ?? id);
  }

  describe('ps', () => {
    it.each([
      ['', 'other running'],
      ['-a', 'exited other running created'],
      ['--latest', 'exited'],
      ['--last 2', 'exited other'],
      ['-a --state created', 'created'],
      ['-a --state running', 'other running'],
      ['-a --state exited', 'exited'],
      ['-a --state unknown', ''],
      ['-a --label role=running', 'running'],
      ['-a --label tier=data --label app=shop', 'exited other'],
      ['-a --label tier=none', ''],
      ['-a --name ^ex', 'exited'],
      ['-a --namespace blue', 'running created'],
      [`-a --image ${NGINX}`, 'running'],
      ['-a --image none', ''],
    ])('%s', async (args, expected) => {
      expect((await names(containers, 'ps', args.split(' ').filter(Boolean))).join(' ')).toBe(expected);
    });

    it('takes the beginnings of ids', async () => {
      const { running = '', exited = '' } = containers;
      expect(await names(containers, 'ps', ['-a', '--id', running.slice(0, 13)])).toEqual(['running']);
      expect(await names(containers, 'ps', ['-a', '--id', exited])).toEqual(['exited']);
      expect(await names(containers, 'ps', ['-a', '--pod', (pods['back'] ?? '').slice(0, 13)])).toEqual([
        'exited',
        'other',
      ]);
      expect(await names(containers, 'ps', ['-a', '--id', 'f'.repeat(64)])).toEqual([]);
    });

    it('shows a table, with whole ids where asked', async () => {
      const { running = '' } = containers;
      const row = [running.slice(0, 13), NGINX, 'Running', 'running', '1', 'front', 'blue'];
      const table = await house.crictl.ok('ps', '--name', 'running');
      for (const cell of row) expect(table).toContain(cell);
      expect(table).not.toContain(running);
      const wide = await house.crictl.ok('ps', '--no-trunc', '--name', 'running');
      for (const id of [running, pods['front']]) expect(wide).toContain(id);
      expect(await house.crictl.ok('ps', '-v', '--name', 'running')).toContain('role -> running');
    });

    it('shows JSON and YAML', async () => {
      const expected = {
        containers: [
          expect.objectContaining({
            id: containers['created'],
            podSandboxId: pods['front'],
            state: 'CONTAINER_CREATED',
            metadata: { name: 'created', attempt: 1 },
            labels: expect.objectContaining({ role: 'created' }),
          }),
        ],
      };
      const args = ['-a', '--name', 'created'];
      expect(await house.crictl.json('ps', ...args)).toEqual(expected);
      expect(load(await house.crictl.ok('ps', '-o', 'yaml', ...args))).toEqual(expected);
    });
  });

  describe('pods', () => {
    it.each([
      ['', 'over back front'],
      ['--latest', 'over'],
      ['--last 2', 'over back'],
      ['--state ready', 'back front'],
      ['--state notready', 'over'],
      ['--label tier=data', 'over back'],
      ['--label tier=data --label app=shop', 'back'],
      ['--name ^fr', 'front'],
      ['--namespace green', 'over back'],
      ['--namespace none', ''],
    ])('%s', async (args, expected) => {
      expect((await names(pods, 'pods', args.split(' ').filter(Boolean))).join(' ')).toBe(expected);
    });

    it('shows a table, with whole ids where asked', async () => {
      const { back = '' } = pods;
      const table = await house.crictl.ok('pods', '--name', 'back');
      for (const cell of [back.slice(0, 13), 'Ready', 'back', 'green', '0', '(default)']) expect(table).toContain(cell);
      expect(table).not.toContain(back);
      expect(await house.crictl.ok('pods', '--no-trunc', '--name', 'back')).toContain(back);
      expect(await house.crictl.ok('pods', '-v', '--name', 'back')).toContain('tier -> data');
    });

    it('shows JSON and YAML', async () => {
      const metadata = { name: 'front', namespace: 'blue', uid: 'front', attempt: 0 };
      const expected = { items: [expect.objectContaining({ id: pods['front'], state: 'SANDBOX_READY', metadata })] };
      expect(await house.crictl.json('pods', '--name', 'front')).toEqual(expected);
      expect(load(await house.crictl.ok('pods', '-o', 'yaml', '--name', 'front'))).toEqual(expected);
    });
  });

  describe('images', () => {
    it('shows a table, JSON, YAML and ids', async () => {
      const table = await house.crictl.ok('images');
      expect(table).toContain('registry.k8s.io/e2e-test-images/busybox');
      expect(table).toContain('1.29-2');
      const { images } = (await house.crictl.json('images')) as { images: { id: string }[] };
      expect(load(await house.crictl.ok('images', '-o', 'yaml'))).toEqual({ images });
      const ids = (await house.crictl.ok('images', '-q', '--no-trunc')).split('\n');
      expect(ids.sort()).toEqual(images.map(({ id }) => id).sort());
      expect(await house.crictl.ok('images', '--digests')).toContain('DIGEST');
    });

    it('shows those of a name', async () => {
      const { images } = (await house.crictl.json('images', NGINX)) as { images: { repoTags: string[] }[] };
      expect(images.map(({ repoTags }) => repoTags)).toEqual([[NGINX]]);
    });
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-fa');
    await house.assertEmpty();
  });
});
