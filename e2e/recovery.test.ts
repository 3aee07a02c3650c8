import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { settlesWithin } from '../src/base/abort.js';
import { identify } from '../src/base/sys/process.js';
import type { Settings } from './harness/daemon.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import type { Scratch } from './harness/scratch.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const PAUSE = 'registry.k8s.io/pause:3.9';
const PLUGINS = ['/opt/cni/bin', '/usr/lib/cni'];
/** Longer than any test: what waits for it fails. */
const NETWORK_SECONDS = 3_600;

/** While the file is there, DEL hangs, or fails if it says so. */
const trouble = ({ dir }: Scratch): string => join(dir, 'trouble');

/** A network whose last plugin, the first at DEL, makes the trouble. */
async function writeTroubledNetwork(scratch: Scratch): Promise<string> {
  const binDir = join(scratch.dir, 'bin');
  await mkdir(binDir);
  const script = `#!/bin/sh
config=$(cat)
case $CNI_COMMAND in
ADD) printf '%s' "$config" | sed 's/.*"prevResult"://; s/}$//' ;;
DEL) while [ -e ${trouble(scratch)} ]; do
    if grep -q fail ${trouble(scratch)}; then echo '{"code":100,"msg":"no luck"}'; exit 1; fi
    sleep 0.05
  done ;;
esac
`;
  await writeFile(join(binDir, 'trouble'), script);
  await chmod(join(binDir, 'trouble'), 0o755);
  const ipam = { type: 'host-local', dataDir: scratch.ipam, ranges: [[{ subnet: `${scratch.subnet}.0/24` }]] };
  const plugins = [{ type: 'bridge', bridge: scratch.bridge, isGateway: true, ipam }, { type: 'trouble' }];
  const list = { cniVersion: '1.0.0', name: scratch.network, plugins };
  await writeFile(join(scratch.cniConf, '00-trouble.conflist'), JSON.stringify(list));
  return binDir;
}

describe('a start', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(async (scratch) => {
      const bin_dirs = [await writeTroubledNetwork(scratch), ...PLUGINS];
      return { network: { bin_dirs, timeout: NETWORK_SECONDS } };
    });
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    // What a test that failed half-way has left.
    await rm(trouble(house.scratch), { force: true });
    house.daemon.configure({});
    if (house.daemon.running) await house.daemon.stop();
    await house.daemon.start();
    await house.crictl.ok('rmp', '-fa');
    await house.crictl.ok('pull', BUSYBOX);
  });

  async function makeTrouble(how: 'hang' | 'fail' | 'none'): Promise<void> {
    if (how === 'none') await rm(trouble(house.scratch));
    else await writeFile(trouble(house.scratch), how);
  }

  /** Has a sandbox or container be what a crash in the middle would have left; the daemon must not be running. */
  async function leave(kind: 'sandboxes' | 'containers', id: string, state: string): Promise<void> {
    const path = join(house.scratch.root, kind, id, 'status.json');
    await writeFile(path, JSON.stringify({ version: 1, id, state }));
  }

  async function restart(meanwhile: () => unknown): Promise<void> {
    await house.daemon.stop();
    await meanwhile();
    await house.daemon.start();
  }

  function restartWith(settings: Settings): Promise<void> {
    return restart(() => {
      house.daemon.configure(settings);
    });
  }

  async function workload(): Promise<{ podId: string; id: string; pid: number }> {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    return { podId, id, pid: (await inspect(house, id)).info.pid ?? 0 };
  }

  const pausePid = async (podId: string): Promise<number> =>
    ((await house.crictl.json('inspectp', podId)) as { info: { pid: number } }).info.pid;
  const pods = async (): Promise<string[]> => (await house.crictl.ok('pods', '-q')).split('\n').filter(Boolean);

  describe('while networks hang', () => {
    it('serves at once, with nothing left running of what was half-way', async () => {
      const files = await Promise.all([writePod(house), writePod(house), writePod(house)]);
      const half = await Promise.all(files.map((pod) => runPod(house, pod)));
      const pauses = await Promise.all(half.map(pausePid));
      const whole = await workload();
      await makeTrouble('hang');
      await restart(async () => {
        await leave('sandboxes', half[0] ?? '', 'creating');
        await leave('sandboxes', half[1] ?? '', 'removing');
        // The third one is a stray.
        await writeFile(join(house.scratch.root, 'sandboxes', half[2] ?? '', 'record.json'), '');
      });
      expect(await pods()).toEqual([whole.podId]);
      expect(pauses.flatMap((pid) => identify(pid) ?? [])).toEqual([]);
      expect(await house.crictl.ok('exec', '-s', whole.id, 'echo', 'here')).toBe('here');
      // The same pods again, beside what is left of them.
      const again = await Promise.all(files.map((pod) => runPod(house, pod)));
      expect((await pods()).sort()).toEqual([...again, whole.podId].sort());

      // Who asks for the end of one waits for it.
      const stop = house.crictl.ok('stopp', half[0] ?? '');
      expect(await settlesWithin(stop, 500)).toBe(false);
      await makeTrouble('none');
      await stop;
      await house.crictl.ok('rmp', '-fa');
      await house.assertEmpty();
    });

    it('serves at once, though attachments of nobody are left', async () => {
      const podId = await runPod(house, await writePod(house));
      await makeTrouble('hang');
      await restart(async () => {
        const record = join(house.scratch.root, 'cni', `${podId}.json`);
        const nobody = 'f'.repeat(64);
        const text = (await readFile(record, 'utf8')).replaceAll(podId, nobody);
        await writeFile(record.replace(podId, nobody), text);
      });
      expect(await pods()).toEqual([podId]);
      await makeTrouble('none');
      await house.crictl.ok('rmp', '-f', podId);
      await waitFor('end of the attachment', 10_000, async () =>
        (await readdir(join(house.scratch.root, 'cni'))).length === 0 ? true : undefined,
      );
      await house.assertEmpty();
    });
  });

  it('gives a name to the pod that is ready, and none to what is left of a vain attempt', async () => {
    const pod = await writePod(house);
    const vain = await runPod(house, pod);
    await makeTrouble('fail');
    for (let round = 0; round < 2; round++) {
      await restart(() => (round === 0 ? leave('sandboxes', vain, 'creating') : undefined));
      const id = await runPod(house, pod);
      expect(id).not.toBe(vain);
      expect(await pods()).toEqual([id]);
    }
    const [id = ''] = await pods();
    await restart(() => undefined);
    expect(await runPod(house, pod)).toBe(id);
    await makeTrouble('none');
    // Else it would come back to what is left in half a minute.
    await restart(() => undefined);
    await house.crictl.ok('rmp', '-f', id);
    await house.assertEmpty();
  });

  describe('with another configuration', () => {
    const layers = (): Promise<string[]> => readdir(join(house.scratch.root, 'images', 'layers'));

    it.each([
      ['the built-in pause', ''],
      ['another image', 'registry.k8s.io/pause:3.10'],
      ['an image that is not to be had', 'registry.k8s.io/no-such-pause:1'],
    ])('keeps a pod whose pause was of an image, and gives it back: now it is %s', async (_, image) => {
      await restartWith({ image: { pause_image: PAUSE } });
      const { podId, id } = await workload();
      const pid = await pausePid(podId);
      const before = await layers();
      await restartWith({ image: { pause_image: image } });
      await house.crictl.ok('rmi', PAUSE);
      expect(await layers()).toEqual(expect.arrayContaining(before));
      expect(identify(pid)).toBeDefined();
      expect(await readdir(`/proc/${pid}/root`)).toContain('pause');
      expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_READY');
      expect(await house.crictl.ok('exec', '-s', id, 'echo', 'here')).toBe('here');
      await house.crictl.ok('stopp', podId);
      await house.crictl.ok('rmp', podId);
      await house.assertEmpty();
    });

    it('keeps a pod of the built-in pause where new ones have an image’s', async () => {
      const { podId } = await workload();
      await restartWith({ image: { pause_image: PAUSE } });
      expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_READY');
      await house.crictl.ok('rmp', '-f', podId);
      await house.assertEmpty();
    });

    it('uses and gives back what was made in other places', async () => {
      const { podId, id, pid } = await workload();
      const { dir, pods: parent } = house.scratch;
      const runtime = { root: join(dir, 'elsewhere'), path: await aliasOf(SETTINGS.runtime) };
      await restartWith({
        state: join(dir, 'other-state'),
        network: { netns_dir: join(dir, 'other-netns'), bin_dirs: PLUGINS },
        runtime: { handlers: { [SETTINGS.runtime]: runtime }, cgroup_parent: otherParent(parent) },
      });
      expect((await inspect(house, id)).info.pid).toBe(pid);
      expect(await house.crictl.ok('exec', '-s', id, 'echo', 'here')).toBe('here');
      await house.crictl.ok('update', '--memory', String(64 << 20), id);
      await house.crictl.ok('stop', '--timeout', '10', id);
      expect((await inspect(house, id)).status).toMatchObject({ state: 'CONTAINER_EXITED', exitCode: 0 });
      await house.crictl.ok('rm', id);
      await house.crictl.ok('rmp', '-f', podId);
      await house.assertEmpty();
    });

    /** The same program elsewhere. */
    async function aliasOf(name: string): Promise<string> {
      const path = join(house.scratch.dir, `other-${name}`);
      await writeFile(path, `#!/bin/sh\nexec ${name} "$@"\n`);
      await chmod(path, 0o755);
      return path;
    }

    const otherParent = (parent: string): string =>
      SETTINGS.cgroupDriver === 'systemd' ? basename(parent).replace('.slice', '-other.slice') : `${parent}/other`;
  });
});
