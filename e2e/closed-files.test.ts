import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { OWN } from './images/own-images.js';
import type { Settings } from './harness/daemon.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, writeContainer, writePod } from './harness/pods.js';
import { openDirectories, openEntries } from './harness/open-entries.js';
import { ownIds, usernsRuntime } from './harness/user-namespaces.js';

const FIRST = 1_000_000;
const SECOND = 2_000_000;
const NOBODY = 65_534;
/** A program that whoever can reach it runs as root. */
const SUID = 'suid-of-a-container';

const PAUSES: readonly (readonly [string, Settings])[] = [
  ['the built-in pause', {}],
  ['a pause image', { image: { pause_image: 'registry.k8s.io/pause:3.9' } }],
];

describe.each(PAUSES)('files of containers, with %s', (_, settings) => {
  let house: House;
  const pods: string[] = [];
  /** A plain pod's container, and two of pods with a user namespace of their own. */
  const ids: string[] = [];

  beforeAll(async () => {
    house = await openHouse(async ({ dir }) => ({
      ...settings,
      runtime: { handlers: { newer: { path: await usernsRuntime(dir) } } },
    }));
    for (const image of [BUSYBOX, OWN.content, OWN.volumes]) await house.crictl.ok('pull', image);
    await runOne({});
    await runOne(ownIds(FIRST), '-r', 'newer');
    await runOne(ownIds(SECOND), '-r', 'newer');
  });
  afterAll(async () => {
    await house.crictl.ok('stopp', ...pods);
    await house.crictl.ok('rmp', ...pods);
    await house.close();
  });

  async function runOne(linux: object, ...podOptions: string[]): Promise<void> {
    const pod = await writePod(house, linux);
    const podId = await house.crictl.ok('runp', ...podOptions, pod.path);
    const mounts = [{ container_path: '/data', image: { image: OWN.content } }];
    const fields = { ...linux, image: { image: OWN.volumes }, mounts };
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house, fields) });
    const copy = `for d in / /var/data /var/empty; do cp /bin/busybox $d/${SUID}; chmod 6755 $d/${SUID}; done`;
    await house.crictl.ok('exec', '-s', id, 'sh', '-c', copy);
    pods.push(podId);
    ids.push(id);
  }

  /** Where a user finds the programs of the containers: by all that tells of mounts, and by where they lie on disk. */
  async function foundBy(id: number): Promise<string[]> {
    const script = join(house.scratch.dir, 'find-suid');
    await writeFile(script, FIND_SUID, { mode: 0o755 });
    const ways = ids.flatMap((of) => ['upper', 'volumes/0', 'volumes/1'].map((way) => join(containers(), of, way)));
    const user = [`--reuid=${id}`, `--regid=${id}`, '--clear-groups'];
    const { stdout } = await runOk('setpriv', [...user, 'sh', script, SUID, ...ways], { timeoutMs: 30_000 });
    return stdout.toString().split('\n').filter(Boolean).sort();
  }

  const containers = (): string => join(house.scratch.root, 'containers');
  const rootfsOf = (id = ''): string => join(house.scratch.state, 'containers', id, 'rootfs');

  it('are found by root', async () => {
    const found = await foundBy(0);
    expect(new Set(found).size).toBe(4 * ids.length);
    for (const id of ids) {
      expect(found).toContain(join(rootfsOf(id), SUID));
      expect(found).toContain(join(containers(), id, 'upper', SUID));
      expect((await stat(join(rootfsOf(id), SUID))).mode & 0o7777).toBe(0o6755);
    }
  });

  it('are reached by nobody else, but a root filesystem by root of its own pod', async () => {
    expect(await foundBy(NOBODY)).toEqual([]);
    expect(await foundBy(3_000_000)).toEqual([]);
    const [, first, second] = ids;
    expect(await foundBy(FIRST)).toEqual([join(rootfsOf(first), SUID)]);
    expect(await foundBy(SECOND)).toEqual([join(rootfsOf(second), SUID)]);
    expect(await foundBy(FIRST + 1)).toEqual([]);
  });

  it('are below directories that let nobody pass', async () => {
    const { root, state } = house.scratch;
    expect(await openDirectories(root)).toEqual([]);
    expect(await openDirectories(state)).toEqual([join(state, 'containers'), join(state, 'sandboxes')]);
    expect(await openEntries(state)).toEqual([]);
  });

  it('are closed again when a daemon comes that finds them open', async () => {
    const { root, state } = house.scratch;
    const [podId = ''] = pods;
    const [plain = '', first = ''] = ids;
    const opened = [
      ...['images', 'containers', 'sandboxes', 'cni'].map((name) => join(root, name)),
      ...['containers', `containers/${plain}`, `containers/${first}`].map((name) => join(state, name)),
      ...['sandboxes', `sandboxes/${podId}`, `sandboxes/${pods[1] ?? ''}`].map((name) => join(state, name)),
    ];
    await house.daemon.stop();
    await runOk('chmod', ['755', ...opened], { timeoutMs: 10_000 });
    await runOk('chown', ['0:0', ...opened], { timeoutMs: 10_000 });
    expect(await foundBy(NOBODY)).not.toEqual([]);
    await house.daemon.start();
    expect(await foundBy(NOBODY)).toEqual([]);
    expect(await openDirectories(root)).toEqual([]);
    expect(await openDirectories(state)).toEqual([join(state, 'containers'), join(state, 'sandboxes')]);
    // Another container of a pod of before needs the pod's files.
    const pod = await writePod(house, ownIds(FIRST));
    const container = await writeContainer(house, ownIds(FIRST));
    const id = await runContainer(house, pods[1] ?? '', { pod, container });
    expect(await house.crictl.ok('exec', '-s', id, 'cat', '/etc/hostname')).toMatch(/^pod-/);
  });

  it('do not close the way to the socket', async () => {
    const { dir, socket } = house.scratch;
    expect((await stat(socket)).mode & 0o777).toBe(0o660);
    const member = ['--reuid=65534', '--regid=0', '--clear-groups'];
    const connect = `require('node:net').connect(process.argv[1]).on('connect', () => process.exit(0))`;
    await runOk('setpriv', [...member, process.execPath, '-e', connect, socket], { timeoutMs: 30_000 });
    expect(await readFile(join(dir, 'gantry.yaml'), 'utf8')).toContain(socket);
  });
});

/** Prints where the program `$1` can be reached: at the mounts, in the directories that they are made of, and in `$2` … */
const FIND_SUID = `
name=$1
shift
{
  cut -d ' ' -f 5 /proc/self/mountinfo
  grep -o 'upperdir=[^, ]*' /proc/self/mountinfo | cut -d = -f 2
  for way in "$@"; do echo "$way"; done
} | sort -u | while read -r way; do
  test -e "$way/$name" && echo "$way/$name"
done
exit 0
`;
