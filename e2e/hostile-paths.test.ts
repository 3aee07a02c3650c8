import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { mknodSync } from '../src/base/sys/calls.js';
import { imageOf } from '../src/image-service/image-fixture.js';
import type { FixtureEntry } from '../src/image-service/layers/tar-fixture.js';
import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import {
  BUSYBOX,
  inspect,
  runContainer,
  runPod,
  startRefusal,
  writeContainer,
  writePod,
  type PodFile,
} from './harness/pods.js';
import { waitFor } from './harness/wait.js';
import { pushAll } from './images/push.js';
import { layoutAs, writeFixture } from './unpack/layouts.js';

/** What a program that opens it waits for. */
const TRAPS: Readonly<Record<string, FixtureEntry>> = {
  fifo: { name: 'etc/passwd', flag: '6' },
  kmsg: { name: 'etc/passwd', flag: '2', link: '/proc/kmsg' },
  group: { name: 'etc/group', flag: '6' },
};
const imageName = (trap: string): string => `registry.k8s.io/trap/${trap}:1`;

describe('paths that pods choose', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  let canary: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    for (const [trap, entry] of Object.entries(TRAPS)) {
      const layout = join(house.scratch.dir, trap);
      await mkdir(layout);
      await writeFixture(layout, imageOf({ layers: [[{ name: 'etc/', flag: '5' }, entry]], config: { Cmd: ['/x'] } }));
      await pushAll(house.registry.address, [await layoutAs(layout, imageName(trap))]);
      await house.crictl.ok('pull', imageName(trap));
    }
    pod = await writePod(house);
    podId = await runPod(house, pod);
    canary = join(house.scratch.dir, 'canary');
    await writeFile(canary, 'of the node\n');
  });
  afterAll(() => house.close());

  const create = async (fields: object): Promise<string> =>
    house.crictl.ok('create', podId, await writeContainer(house, fields), pod.path);

  async function refusal(fields: object): Promise<string> {
    const { code, stderr } = await house.crictl.run('create', podId, await writeContainer(house, fields), pod.path);
    expect(code).not.toBe(0);
    return stderr;
  }

  it.each(Object.keys(TRAPS))('do not hold up a start, nor four of them other pods: %s', async (trap) => {
    const fields = { image: { image: imageName(trap) }, command: ['/x'] };
    const trapped = Array.from({ length: 4 }, async () =>
      startRefusal(house, podId, { pod, container: await writeContainer(house, fields) }),
    );
    const other = runPod(house, await writePod(house));
    for (const answer of await Promise.all(trapped)) {
      expect(answer).toContain('code = FailedPrecondition');
      expect(answer).toMatch(/the container's \/etc\/(passwd|group).* is no regular file/);
    }
    await house.crictl.ok('rmp', '-f', await other);
  });

  it('do not hold it up where a mount brings them', async () => {
    const dir = join(house.scratch.dir, 'volume');
    await mkdir(dir);
    mknodSync(join(dir, 'passwd'), 0o010644, { major: 0, minor: 0 });
    const mount = { container_path: '/etc', host_path: dir };
    const container = await writeContainer(house, { mounts: [mount] });
    expect(await startRefusal(house, podId, { pod, container })).toContain(
      "the container's /etc/passwd is no regular file",
    );
  });

  it('give a container the home of its user, from the account file that it has itself', async () => {
    const passwd = join(house.scratch.dir, 'passwd');
    await writeFile(passwd, 'root:x:0:0::/mounted:\n');
    const mounts = [{ container_path: '/etc/passwd', host_path: passwd }];
    const show = ['sh', '-c', 'echo $HOME'];
    const ids = [await create({ command: show }), await create({ command: show, mounts })];
    for (const id of ids) await house.crictl.ok('start', id);
    const homes = ids.map((id) =>
      waitFor('home', 10_000, async () => (await house.crictl.ok('logs', id)).trim() || undefined),
    );
    expect(await Promise.all(homes)).toEqual(['/root', '/mounted']);
    for (const id of ids) await house.crictl.ok('rm', '-f', id);
  });

  it.each<[string, string, (path: string) => unknown, string]>([
    ['a link', 'link.log', (path) => symlink(canary, path), 'it is a symbolic link'],
    ['a fifo', 'fifo.log', (path) => mknodSync(path, 0o010644, { major: 0, minor: 0 }), 'it is a fifo'],
    ['a link on the way', 'sub/canary', () => symlink(house.scratch.dir, join(pod.logDirectory, 'sub')), '\\"sub\\"'],
  ])('are no log where they lead elsewhere: %s', async (_, path, make, expected) => {
    await make(join(pod.logDirectory, path));
    const answer = await refusal({ log_path: path });
    expect(answer).toContain('code = InvalidArgument');
    expect(answer).toContain(expected);
    expect(await readFile(canary, 'utf8')).toBe('of the node\n');
  });

  it('are logs of their own, whatever is in their names', async () => {
    const logs = ['a:b/0.log', 'a:b/0:1.log', 'k8s-file:c', '-d,e=f'];
    const files = logs.map((log) => ({ log_path: log, command: ['echo', log] }));
    const ids: string[] = [];
    for (const fields of files) ids.push(await create(fields));
    for (const id of ids) await house.crictl.ok('start', id);
    for (const log of logs) {
      const lines = await waitFor('line', 10_000, () => linesOf(join(pod.logDirectory, log)));
      expect(lines).toEqual([log]);
    }
    for (const id of ids) await house.crictl.ok('rm', '-f', id);
  });

  it('are never written to when a log is reopened beside them', async () => {
    const script = 'echo first; until [ -e /go ]; do usleep 1000; done; echo second; exit 4';
    const container = await writeContainer(house, { command: ['sh', '-c', script], log_path: 'r.log' });
    const id = await runContainer(house, podId, { pod, container });
    const log = join(pod.logDirectory, 'r.log');
    await waitFor('first line', 10_000, () => linesOf(log));
    await rename(log, `${log}.1`);
    await symlink(canary, log);
    const refused = await statusOf(callCri(house, 'ReopenContainerLog', { containerId: id }));
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT });
    await rename(log, `${log}.tmp`);
    await callCri(house, 'ReopenContainerLog', { containerId: id });
    await house.crictl.ok('exec', id, 'touch', '/go');
    expect(await waitFor('second line', 10_000, () => linesOf(log))).toEqual(['second']);
    const over = async () => ((await inspect(house, id)).status.exitCode === 4 ? true : undefined);
    await waitFor('end', 10_000, over);
    expect(await readFile(canary, 'utf8')).toBe('of the node\n');
  });

  it('leave nothing behind', async () => {
    await house.crictl.ok('rmp', '-fa');
    for (const trap of Object.keys(TRAPS)) await house.crictl.ok('rmi', imageName(trap));
    await house.assertEmpty();
  });
});

/** A log's lines without time and kind; undefined while there is none. */
async function linesOf(path: string): Promise<string[] | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text === '' ? undefined : text.trim().split('\n').map((line) => line.split(' ').slice(3).join(' ')); // prettier-ignore
}
