import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';

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
    ['the node’s network', security(OPTIONS, { network: 2 }), "goes not with the node's network"],
  ])('cannot have %s', async (_, linux, message) => {
    const { code, stderr } = await house.crictl.run('runp', (await writePod(house, { linux })).path);
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(stderr).toContain('InvalidArgument');
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
