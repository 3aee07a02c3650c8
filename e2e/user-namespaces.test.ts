import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import {
  BUSYBOX,
  inspect,
  inspectPod,
  runContainer,
  runPod,
  startRefusal,
  writeContainer,
  writePod,
} from './harness/pods.js';
import { OWN as IMAGES } from './images/own-images.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const HOST_ID = 1_000_000;
const MAPPING = { host_id: HOST_ID, container_id: 0, length: 65_536 };
const OPTIONS = { uids: [MAPPING], gids: [MAPPING] };
const security = (userns: object, more: object = {}) => ({
  security_context: { namespace_options: { userns_options: userns, ...more } },
});
const OWN = { linux: security(OPTIONS) };

/** A runtime of this machine's that has no idmapped mounts, where there is one. */
const OLD = SETTINGS.runtime;

describe('pods with a user namespace of their own', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(async ({ dir }) => {
      // The pod's root must be able to walk to its files, as it is below /run and /var/lib.
      await chmod(dir, 0o711);
      return { runtime: { default_handler: 'newer', handlers: { newer: { path: join(TOOLS, 'runc') } } } };
    });
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());

  const exec = (id: string, ...command: string[]): Promise<string> => house.crictl.ok('exec', '-s', id, ...command);

  async function start(fields: object = {}, podFields: object = {}) {
    const pod = await writePod(house, { ...OWN, ...podFields });
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house, { ...OWN, ...fields }) });
    return { pod, podId, id, pid: (await inspect(house, id)).info.pid ?? 0 };
  }

  async function remove(...podIds: string[]): Promise<void> {
    await house.crictl.ok('stopp', ...podIds);
    await house.crictl.ok('rmp', ...podIds);
    await house.assertEmpty();
  }

  it('are told of by handler', async () => {
    const { runtimeHandlers } = await callCri(house, 'Status', {});
    const features = new Map(runtimeHandlers?.map(({ name, features }) => [name, features?.userNamespaces]));
    expect([features.get(''), features.get('newer')]).toEqual([true, true]);
    expect(features.get(OLD)).toBe(false);
  });

  it('have root of their own, in files that keep their owners', async () => {
    const { podId, id, pid } = await start();
    for (const map of ['uid_map', 'gid_map'])
      expect((await exec(id, 'cat', `/proc/self/${map}`)).trim().split(/\s+/)).toEqual(['0', `${HOST_ID}`, '65536']);
    expect(await exec(id, 'stat', '-c', '%u:%g', '/', '/bin', '/bin/busybox', '/dev/shm', '/etc/hosts')).toBe(
      Array.from({ length: 5 }, () => '0:0').join('\n'),
    );
    await exec(id, 'sh', '-c', 'echo x > /new; chown 5:6 /new; echo y >> /etc/hosts; touch /dev/shm/z; mkdir /bin/sub');
    expect(await exec(id, 'stat', '-c', '%u:%g', '/new', '/dev/shm/z', '/bin/sub')).toBe('5:6\n0:0\n0:0');
    expect(/^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]).toBe(String(HOST_ID));
    const upper = await stat(join(house.scratch.root, 'containers', id, 'upper', 'new'));
    expect([upper.uid, upper.gid]).toEqual([HOST_ID + 5, HOST_ID + 6]);
    await remove(podId);
  });

  it('have a network of their own that they may change, and the node’s they may not', async () => {
    const admin = {
      linux: {
        security_context: {
          ...OWN.linux.security_context,
          capabilities: { add_capabilities: ['NET_ADMIN', 'SYS_ADMIN'] },
        },
      },
    };
    const { podId, id } = await start(admin);
    expect(await exec(id, 'ip', 'addr', 'show', 'eth0')).toContain(`inet ${house.scratch.subnet}.`);
    expect(await exec(id, 'ping', '-c', '1', '-W', '5', '127.0.0.1')).toContain('1 packets received');
    await exec(id, 'ip', 'link', 'set', 'eth0', 'mtu', '1400');
    expect(await exec(id, 'sh', '-c', 'mknod /x b 8 0 2>&1 || true')).toContain('not permitted');
    await remove(podId);
  });

  it('show volumes with their own ids', async () => {
    const volume = join(house.scratch.dir, 'volume');
    await mkdir(volume);
    await writeFile(join(volume, 'file'), 'of root');
    const mount = { container_path: '/data', host_path: volume, uidMappings: [MAPPING], gidMappings: [MAPPING] };
    const { podId, id } = await start({ mounts: [mount, { container_path: '/plain', host_path: volume }] });
    expect(await exec(id, 'stat', '-c', '%u:%g', '/data', '/data/file', '/plain/file')).toBe('0:0\n0:0\n65534:65534');
    await exec(id, 'sh', '-c', 'echo x > /data/new; chown 7:8 /data/new');
    const made = await stat(join(volume, 'new'));
    expect([made.uid, made.gid]).toEqual([7, 8]);
    const { status: view } = (await house.crictl.json('inspect', id)) as { status: { mounts: object[] } };
    expect(view.mounts[0]).toMatchObject({ uidMappings: [{ hostId: HOST_ID, length: 65_536 }] });
    await remove(podId);
  });

  it('are shown as they were asked for, with stats', async () => {
    const { podId, id } = await start();
    const view = (await house.crictl.json('inspectp', podId)) as {
      status: { linux: { namespaces: { options: { usernsOptions: object } } } };
    };
    expect(view.status.linux.namespaces.options.usernsOptions).toMatchObject({
      ...{ mode: 'POD', uids: [{ hostId: HOST_ID, length: 65_536 }], gids: [{ hostId: HOST_ID }] },
    });
    expect(await house.crictl.json('stats', id)).toMatchObject({ stats: [{ attributes: { id } }] });
    expect(await house.crictl.json('statsp', podId)).toMatchObject({ stats: [{ attributes: { id: podId } }] });
    await remove(podId);
  });

  it('outlive the daemon, and are removed by the next one', async () => {
    const { podId, id, pod } = await start();
    await house.daemon.kill9();
    await house.daemon.start();
    expect(await exec(id, 'id', '-u')).toBe('0');
    const another = await runContainer(house, podId, { pod, container: await writeContainer(house, OWN) });
    expect(await exec(another, 'cat', '/proc/self/uid_map')).toContain(String(HOST_ID));
    expect(existsSync(join(house.scratch.state, 'sandboxes', podId, 'userns'))).toBe(true);
    await remove(podId);
  });

  const NODE = { mode: 2 };
  it.each([
    [
      'two ranges',
      security({ uids: [MAPPING, MAPPING], gids: [MAPPING] }),
      'uids must have exactly one mapping, not 2',
    ],
    ['no range', security({}), 'uids must have exactly one mapping, not 0'],
    ['a range without root', security({ ...OPTIONS, uids: [{ ...MAPPING, container_id: 1 }] }), 'does not map id 0'],
    ['the node’s with ranges', security({ ...OPTIONS, ...NODE }), 'has mappings'],
    ['a container’s', security({ mode: 1 }), 'mode is 1'],
    ['the node’s IPC namespace', security(OPTIONS, { ipc: 2 }), "goes not with the node's ipc"],
  ])('cannot have %s', async (_, linux, message) => {
    const { code, stderr } = await house.crictl.run('runp', (await writePod(house, { linux })).path);
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(stderr).toContain('InvalidArgument');
  });

  const ofLength = (length: number) => {
    const range = [{ ...MAPPING, length }];
    return { uids: range, gids: range };
  };
  const podOf = (options: object, more: object = {}) => ({ linux: security(options, more) });
  const user = (value: number, more: object = {}) => ({ run_as_user: { value }, ...more });
  const as = (options: object, own: object) => ({
    linux: { security_context: { ...security(options).security_context, ...own } },
  });

  it.each([1, 4, 6, 1000])('may have as few as %d ids', async (length) => {
    const options = podOf(ofLength(length));
    const { podId, id } = await start(options, options);
    expect((await exec(id, 'cat', '/proc/self/uid_map')).trim().split(/\s+/)).toEqual(['0', `${HOST_ID}`, `${length}`]);
    expect(await exec(id, 'id', '-u')).toBe('0');
    const say = `echo $(tty) > /dev/stdout; stat -c '%a %g' $(tty)`;
    const container = await writeContainer(house, { ...options, tty: true, command: ['sh', '-c', say] });
    const onTerminal = await runContainer(house, podId, { pod: await writePod(house, options), container });
    await waitFor('end', 10_000, async () =>
      (await inspect(house, onTerminal)).status.state === 'CONTAINER_EXITED' ? true : undefined,
    );
    const log = await house.crictl.ok('logs', onTerminal);
    expect(log.replaceAll('\r', '')).toMatch(length > 5 ? /^\/dev\/pts\/0\n620 5$/ : /^\/dev\/pts\/0\n6[02]0 0$/);
    await remove(podId);
  });

  it.each<[string, object, string, string]>([
    ['a user', user(1000), 'InvalidArgument', 'user 1000'],
    ['a group', user(5, { run_as_group: { value: 2000 } }), 'InvalidArgument', 'group 2000'],
    ['a supplementary group', { supplemental_groups: [7, 3000] }, 'InvalidArgument', 'group 3000'],
  ])('run nobody whose id they do not have: %s', async (_, own, code, who) => {
    const options = podOf(ofLength(1000));
    const pod = await writePod(house, options);
    const podId = await runPod(house, pod);
    const container = await writeContainer(house, as(ofLength(1000), own));
    const { stderr } = await house.crictl.run('create', podId, container, pod.path);
    expect(stderr).toContain(`code = ${code}`);
    expect(stderr).toContain(`${who} is not in the user namespace of the pod, which has the ids from 0 to 999`);
    await remove(podId);
  });

  it('show files of users that they do not have as nobody’s, and run none of an image’s', async () => {
    await house.crictl.ok('pull', IMAGES.largeIds);
    const pod = await writePod(house, OWN);
    const podId = await runPod(house, pod);
    const image = { image: { image: IMAGES.largeIds } };
    const refused = await writeContainer(house, { ...OWN, ...image });
    const stderr = await startRefusal(house, podId, { pod, container: refused });
    expect(stderr).toContain('code = FailedPrecondition');
    expect(stderr).toContain('user 70000 is not in the user namespace of the pod, which has the ids from 0 to 65535');
    const container = await writeContainer(house, { ...as(OPTIONS, user(0)), ...image });
    const id = await runContainer(house, podId, { pod, container });
    expect(await exec(id, 'stat', '-c', '%u:%g', '/', '/large', '/large/file', '/large/dir/file')).toBe(
      Array.from({ length: 4 }, () => '65534:65534').join('\n'),
    );
    expect(await exec(id, 'cat', '/large/file', '/large/dir/file')).toBe('of 70000\nof 70000');
    const changed = await house.crictl.run('exec', '-s', id, 'sh', '-c', 'echo x > /large/file');
    expect(changed.code).toBe(1);
    await exec(id, 'sh', '-c', 'echo mine > /tmp/mine && test $(stat -c %u /tmp/mine) = 0');
    await remove(podId);
  });

  describe('on the node’s network', () => {
    const HOST = podOf(OPTIONS, { network: 2 });

    it('are told of', async () => {
      const { features } = await callCri(house, 'Status', {});
      expect(features?.userNamespacesHostNetwork).toBe(true);
    });

    it('have it, without a say in it', async () => {
      const admin = { ...user(0), capabilities: { add_capabilities: ['NET_ADMIN', 'SYS_ADMIN'] } };
      const linux = { ...HOST.linux.security_context, ...admin };
      const { podId, id } = await start({ linux: { security_context: linux } }, HOST);
      expect((await exec(id, 'cat', '/proc/self/uid_map')).trim().split(/\s+/)).toEqual(['0', `${HOST_ID}`, '65536']);
      const links = async (command: Promise<string>): Promise<string[]> =>
        (await command).split(/\s+/).filter(Boolean).sort();
      const own = await links(exec(id, 'ls', '/sys/class/net'));
      expect(own).toContain(house.scratch.bridge);
      expect(await exec(id, 'readlink', '/proc/self/ns/net')).toBe(await readlink('/proc/self/ns/net'));
      expect(await exec(id, 'hostname')).toBe(hostname());
      expect(await exec(id, 'sh', '-c', `ip link set ${house.scratch.bridge} down 2>&1 || true`)).toContain(
        'not permitted',
      );
      expect((await inspectPod(house, podId)).status.network.ip).toBe('');
      await remove(podId);
    });

    it('see the node’s /sys, read-only throughout, and their own cgroups', async () => {
      const masked = {
        linux: { security_context: { ...HOST.linux.security_context, masked_paths: ['/sys/firmware'] } },
      };
      const { podId, id } = await start(masked, HOST);
      const mounts = (await exec(id, 'cat', '/proc/self/mountinfo')).split('\n');
      const below = mounts.filter((line) => /^(\S+ ){4}\/sys[ /]/.test(line));
      expect(below.length).toBeGreaterThan(1);
      // The tmpfs that runc makes for cgroups of v1 is the container's own.
      const writable = below.filter((line) => !/^(\S+ ){5}ro,/.test(line) && !line.includes(`uid=${HOST_ID}`));
      expect(writable).toEqual([]);
      expect(await exec(id, 'sh', '-c', 'ls /sys/firmware | wc -l')).toBe('0');
      const first = 'd=/sys/fs/cgroup; [ -d $d/pids ] && d=$d/pids; cat /proc/$(head -n 1 $d/cgroup.procs)/cmdline';
      expect(await exec(id, 'sh', '-c', first)).toContain('trap "exit 0" TERM');
      await remove(podId);
    });

    it('outlive the daemon, and leave nothing', async () => {
      const { podId, id, pod } = await start(HOST, HOST);
      await house.daemon.kill9();
      await house.daemon.start();
      expect(await exec(id, 'id', '-u')).toBe('0');
      const another = await runContainer(house, podId, { pod, container: await writeContainer(house, HOST) });
      expect(await exec(another, 'cat', '/proc/self/uid_map')).toContain(String(HOST_ID));
      await remove(podId);
    });
  });

  it('have one for all containers', async () => {
    const { podId, pod } = await start();
    for (const linux of [security(NODE), security({ uids: [{ ...MAPPING, host_id: 5 }], gids: [MAPPING] })]) {
      const { stderr } = await house.crictl.run('create', podId, await writeContainer(house, { linux }), pod.path);
      expect(stderr).toContain('userns_options is not that of sandbox');
    }
    await house.crictl.ok('create', podId, await writeContainer(house), pod.path);
    await remove(podId);
  });

  it('are refused by a runtime that cannot idmap mounts', async () => {
    const usernsOptions = { uids: [range()], gids: [range()] };
    const config = {
      metadata: { name: 'a', namespace: 'b', uid: 'c' },
      linux: { securityContext: { namespaceOptions: { usernsOptions } } },
    };
    const refused = await statusOf(callCri(house, 'RunPodSandbox', { config, runtimeHandler: OLD }));
    expect(refused.code).toBe(status.UNIMPLEMENTED);
    expect(refused.details).toContain(`runtime handler "${OLD}" has no user namespaces: `);
    await house.assertEmpty();
  });
});

function range(): { hostId: number; containerId: number; length: number } {
  return { hostId: HOST_ID, containerId: 0, length: 65_536 };
}
