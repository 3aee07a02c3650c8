import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { readXattrSync } from '../src/base/sys/xattr.js';
import { OWN } from './images/own-images.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';

/** Where e2e/vm/load-selinux ran: the VM of the variant "selinux" in test-vm. Elsewhere all of this is skipped. */
const withSelinux = existsSync('/sys/fs/selinux/enforce') ? describe : describe.skip;

withSelinux('SELinux labels (skipped where the kernel has no SELinux)', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    for (const image of [BUSYBOX, OWN.volumes, OWN.content]) await house.crictl.ok('pull', image);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  const exec = (id: string, ...command: string[]): Promise<string> => house.crictl.ok('exec', '-s', id, ...command);
  const labelOfPid = async (pid: number): Promise<string> =>
    (await readFile(`/proc/${pid}/attr/current`, 'utf8')).replace(/[\0\n ]+$/, '');
  const labelOfFile = (path: string): string | undefined =>
    readXattrSync(path, 'security.selinux')?.toString().replace(/\0$/, '');

  async function running(fields: object = {}, of = { pod, podId }): Promise<{ id: string; label: string }> {
    const id = await runContainer(house, of.podId, { pod: of.pod, container: await writeContainer(house, fields) });
    return { id, label: await labelOfPid((await inspect(house, id)).info.pid ?? 0) };
  }

  const security = (security_context: object) => ({ linux: { security_context } });

  it('are told, and enforced', async () => {
    const { host } = (await house.crictl.json('info')) as { host: { selinux: object } };
    expect(host.selinux).toEqual({ mode: 'enforcing', labels: expect.stringContaining(':container_t:s0, ') });
  });

  it('have one level a pod, of pause, containers, commands and files', async () => {
    const [first, second] = [await running(), await running()];
    expect(first.label).toMatch(/^system_u:system_r:container_t:s0:c\d+,c\d+$/);
    expect(second.label).toBe(first.label);
    const { info } = (await house.crictl.json('inspectp', podId)) as { info: { pid: number } };
    expect(await labelOfPid(info.pid)).toBe(first.label);
    expect(await exec(first.id, 'cat', '/proc/self/attr/current')).toContain(first.label);
    const files = first.label.replace('system_r:container_t', 'object_r:container_file_t');
    const mounts = await exec(first.id, 'cat', '/proc/mounts');
    expect(mounts).toMatch(new RegExp(`^overlay / overlay .*context="?${files}`, 'm'));
    expect(mounts).toMatch(new RegExp(` /dev/shm tmpfs .*context="?${files}`, 'm'));
    expect(labelOfFile(join(house.scratch.state, 'sandboxes', podId, 'hosts'))).toBe(files);
    await exec(
      first.id,
      'sh',
      '-c',
      'cat /etc/hosts /etc/resolv.conf && echo x > /tmp/x && cat /tmp/x && echo y > /dev/shm/y',
    );
    for (const { id } of [first, second]) await house.crictl.ok('rm', '-f', id);
  });

  it('keep pods from each other’s volumes, which are relabelled where kubelet says so', async () => {
    const volume = join(house.scratch.dir, 'volume');
    await mkdir(volume);
    await writeFile(join(volume, 'secret'), 'of the pod\n');
    const mount = { container_path: '/volume', host_path: volume };
    const owner = await running({ mounts: [{ ...mount, selinux_relabel: true }] });
    expect(labelOfFile(join(volume, 'secret'))).toContain(owner.label.replace(/.*:s0/, ':s0'));
    expect(await exec(owner.id, 'cat', '/volume/secret')).toBe('of the pod');
    const other = await writePod(house);
    const otherId = await runPod(house, other);
    const thief = await running({ mounts: [mount] }, { pod: other, podId: otherId });
    expect(thief.label).not.toBe(owner.label);
    const refused = await house.crictl.run('exec', '-s', thief.id, 'cat', '/volume/secret');
    expect(refused.stderr).toContain('Permission denied');
    const privileged = await writePod(house, security({ privileged: true }));
    const free = { pod: privileged, podId: await runPod(house, privileged) };
    const all = await running({ mounts: [mount], ...security({ privileged: true }) }, free);
    expect(all.label).not.toContain('container_t');
    expect(await exec(all.id, 'cat', '/volume/secret')).toBe('of the pod');
    await house.crictl.ok('rmp', '-f', otherId, free.podId);
    await house.crictl.ok('rm', '-f', owner.id);
  });

  it('are those of the request', async () => {
    const level = 's0:c7,c8';
    const own = await running(security({ selinux_options: { type: 'spc_t', level } }));
    expect(own.label).toBe(`system_u:system_r:spc_t:${level}`);
    await house.crictl.ok('rm', '-f', own.id);
    const named = await writePod(house, security({ selinux_options: { level } }));
    const namedId = await runPod(house, named);
    const { label } = await running({}, { pod: named, podId: namedId });
    expect(label).toBe(`system_u:system_r:container_t:${level}`);
    await house.crictl.ok('rmp', '-f', namedId);
  });

  it.each([
    [{ type: 'no_such_t' }, 'does not know the label'],
    [{ level: 's9' }, 'does not know the label'],
    [{ level: 'c1' }, 'selinux_options.level'],
    [{ user: 'a:b' }, 'selinux_options.user'],
  ])('are refused where the policy has none: %j', async (selinux_options, said) => {
    const container = await writeContainer(house, security({ selinux_options }));
    const { stderr } = await house.crictl.run('create', podId, container, pod.path);
    expect(stderr).toContain('code = InvalidArgument');
    expect(stderr).toContain(said);
  });

  it('let containers use images as volumes, and the volumes that images declare', async () => {
    const mounts = [{ container_path: '/data', image: { image: OWN.content }, readonly: true }];
    const { id } = await running({ mounts, image: { image: OWN.volumes } });
    expect(await exec(id, 'cat', '/data/top', '/var/data/file')).toBe('top\nof the image');
    await exec(id, 'sh', '-c', 'echo new > /var/empty/new');
    await house.crictl.ok('rm', '-f', id);
  });

  it('are none of the node’s own directories', async () => {
    const before = await runOk('ls', ['-dZ', '/etc'], { timeoutMs: 10_000 });
    const mounts = [{ container_path: '/node', host_path: '/etc', selinux_relabel: true }];
    const container = await writeContainer(house, { mounts });
    const { stderr } = await house.crictl.run('create', podId, container, pod.path);
    expect(stderr).toContain('never relabelled');
    expect((await runOk('ls', ['-dZ', '/etc'], { timeoutMs: 10_000 })).stdout).toEqual(before.stdout);
  });

  it('leave nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
