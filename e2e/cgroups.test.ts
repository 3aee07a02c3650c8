import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { cgroupDirsOf } from '../src/oci/cgroup.js';
import { readCgroupFile, type CgroupFile } from './harness/cgroup-file.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;
const SYSTEMD = SETTINGS.cgroupDriver === 'systemd';

const MEMORY: CgroupFile = { v1: ['memory', 'memory.limit_in_bytes'], v2: 'memory.max' };
const PIDS: CgroupFile = { v1: ['pids', 'pids.max'], v2: 'pids.max' };

describe('cgroups', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  async function running(fields?: object): Promise<{ id: string; pid: number }> {
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house, fields) });
    return { id, pid: (await inspect(house, id)).info.pid ?? 0 };
  }

  function cgroupOf(id: string): string {
    return join(house.scratch.pods, SYSTEMD ? `gantry-${id}.scope` : id);
  }

  it('are made by the runtime and the driver that are configured', async () => {
    const { id, pid } = await running();
    const { info } = (await house.crictl.json('inspectp', podId)) as { info: { pid: number } };
    for (const [process, of] of [[pid, id] as const, [info.pid, podId] as const]) {
      const dirs = cgroupDirsOf(process);
      expect(dirs).not.toEqual([]);
      // crun puts them one deeper in systemd's scope.
      expect(dirs.filter((dir) => !`${dir}/`.includes(`${cgroupOf(of)}/`))).toEqual([]);
      expect(existsSync(join(house.scratch.state, 'runtime', SETTINGS.runtime, of))).toBe(true);
    }
    await house.crictl.ok('rm', '-f', id);
  });

  it('hold executed commands, too', async () => {
    const { id, pid } = await running();
    const executed = house.crictl.run('exec', '-s', id, 'sleep', '3.25');
    const places = await waitFor('executed command', 10_000, async () => {
      const found = (await processes()).find(({ words }) => words.join(' ') === 'sleep 3.25');
      return found === undefined ? undefined : cgroupDirsOf(found.pid);
    });
    // In one hierarchy of v1, and on v2, a command has a cgroup of its own below.
    const containing = cgroupDirsOf(pid).map((dir, index) => [dir, `${places[index] ?? ''}/`] as const);
    expect(containing.filter(([dir, place]) => !place.startsWith(`${dir}/`))).toEqual([]);
    expect(places).toHaveLength(containing.length);
    expect((await executed).code).toBe(0);
    await house.crictl.ok('rm', '-f', id);
  });

  it('keep monitors apart from daemon and pods', async () => {
    const { id } = await running();
    const monitors = (await processes()).filter(({ words }) => words[0]?.endsWith('conmon') && words.includes(id));
    expect(monitors).toHaveLength(1);
    const { monitors: place } = house.scratch;
    const expected = SYSTEMD ? join(place, basename(place).replace(/slice$/, 'scope')) : place;
    for (const { pid } of monitors) expect(cgroupDirsOf(pid).filter((dir) => !dir.endsWith(expected))).toEqual([]);
    await house.crictl.ok('rm', '-f', id);
  });

  it('have the limits of the container', async () => {
    const resources = { memory_limit_in_bytes: 64 * MIB };
    const { id, pid } = await running({ linux: { resources } });
    expect(await readCgroupFile(pid, MEMORY)).toBe(String(64 * MIB));
    expect(await readCgroupFile(pid, PIDS)).toMatch(/^(max|\d+)$/);
    await house.crictl.ok('rm', '-f', id);
  });

  it('end a container that is out of memory, and the status says so', async () => {
    const resources = { memory_limit_in_bytes: 32 * MIB };
    const { id } = await running({ command: ['tail', '/dev/zero'], linux: { resources } });
    const { status } = await waitFor('end of the container', 20_000, async () => {
      const view = await inspect(house, id);
      return view.status.state === 'CONTAINER_EXITED' ? view : undefined;
    });
    expect(status).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await house.crictl.ok('rm', id);
  });

  it('end whole where a container has no processes of its own', async () => {
    const namespace_options = { pid: 2 };
    const fields = { linux: { security_context: { namespace_options } } };
    const own = await writePod(house, fields);
    const id = await runPod(house, own);
    const command = ['sh', '-c', 'setsid sleep 3600 & exec sleep 3600'];
    const container = await runContainer(house, id, {
      pod: own,
      container: await writeContainer(house, { ...fields, command }),
    });
    const { info } = await inspect(house, container);
    const [dir = ''] = cgroupDirsOf(info.pid ?? 0);
    const members = await waitFor('second process', 10_000, async () => {
      const pids = (await readFile(join(dir, 'cgroup.procs'), 'utf8')).split('\n').filter(Boolean);
      return pids.length === 2 ? pids : undefined;
    });
    await house.crictl.ok('stop', '--timeout', '1', container);
    await waitFor('end of both', 5_000, () => Promise.resolve(members.every(isGone) ? true : undefined));
    await house.crictl.ok('rmp', '-f', id);
  });

  it('leave nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

function isGone(pid: string): boolean {
  return !existsSync(`/proc/${pid}`);
}

async function processes(): Promise<{ pid: number; words: readonly string[] }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return { pid: Number(pid), words: line.split('\0').slice(0, -1) };
  });
  return Promise.all(found);
}
