import { randomInt } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { internal } from '../src/base/errors.js';
import { identify } from '../src/base/sys/process.js';
import { DAMAGES, kindOf, pick, randomFrom, stateFiles } from './harness/damage.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, IDLE, inspect, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const RESTARTS = SETTINGS.full ? 100 : 10;
const RESTART_MS = 60_000;

interface Workload {
  readonly pods: readonly string[];
  /** One in each pod. */
  readonly running: readonly { readonly id: string; readonly podId: string; readonly pid: number }[];
  /** In the first pod: it ends while the daemon is away. */
  readonly ending: { readonly id: string; readonly podId: string; readonly pid: number };
}

describe('a restart with one file damaged', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());

  async function workload(): Promise<Workload> {
    await house.crictl.ok('pull', BUSYBOX);
    const files = await Promise.all([writePod(house), writePod(house)]);
    const pods = await Promise.all(files.map((pod) => runPod(house, pod)));
    const start = async (index: number) => {
      const [pod, podId] = [files[index], pods[index] ?? ''];
      if (pod === undefined) throw new RangeError(`there is no pod ${index}`);
      const id = await runContainer(house, podId, { pod, container: await writeContainer(house, { command: IDLE }) });
      return { id, podId, pid: (await inspect(house, id)).info.pid ?? 0 };
    };
    const running = await Promise.all([start(0), start(1)]);
    return { pods, running, ending: await start(0) };
  }

  const layers = (): Promise<string[]> => readdir(join(house.scratch.root, 'images', 'layers'));

  /** A file of a kind that is picked first, since there are many of some and one of others. */
  async function target(random: () => number): Promise<{ file: string; others: string[] }> {
    const files = await stateFiles(house.scratch);
    const kinds = [...new Set(files.map((file) => kindOf(house.scratch, file)))].sort();
    const kind = pick(random, kinds);
    const same = files.filter((file) => kindOf(house.scratch, file) === kind);
    const file = pick(random, same);
    return { file, others: same.filter((other) => other !== file) };
  }

  async function end({ id, pid }: Workload['ending']): Promise<void> {
    process.kill(pid, 'SIGKILL');
    await waitFor('exit file', 10_000, async () =>
      (await readdir(join(house.scratch.root, 'containers', id))).includes(id) ? true : undefined,
    );
  }

  /** What is not damaged is served as it was. */
  async function checkServed({ pods, running, ending }: Workload, file: string, name: string): Promise<void> {
    // Nothing is closed to root.
    const record = /\/(?:record|status)\.json$/.test(file) && name !== 'closed to all';
    const lost = (id: string): boolean => record && file.includes(id);
    for (const id of pods.filter((one) => !lost(one)))
      expect((await inspectPod(house, id)).status.state).toBe('SANDBOX_READY');
    for (const { id, podId, pid } of running.filter((one) => !lost(one.id))) {
      const ended = lost(podId);
      const { status, info } = await inspect(house, id);
      expect(status.state).toBe(ended ? 'CONTAINER_EXITED' : 'CONTAINER_RUNNING');
      if (ended) continue;
      expect(info.pid).toBe(pid);
      expect(identify(pid)).toBeDefined();
      if (!file.includes(id)) expect(await house.crictl.ok('exec', '-s', id, 'cat', '/etc/passwd')).toContain('root');
    }
    if (lost(ending.id)) return;
    const { state, exitCode } = (await inspect(house, ending.id)).status;
    expect(state).toBe('CONTAINER_EXITED');
    if (!file.includes(ending.id)) expect(exitCode).toBe(137);
  }

  /** Each by its own call, as kubelet does it. */
  async function removeAll(): Promise<void> {
    const idsOf = async (...args: string[]): Promise<string[]> =>
      (await house.crictl.ok(...args)).split('\n').filter(Boolean);
    for (const id of await idsOf('ps', '-aq')) {
      await house.crictl.ok('stop', '--timeout', '1', id);
      await house.crictl.ok('rm', id);
    }
    for (const id of await idsOf('pods', '-q')) {
      await house.crictl.ok('stopp', id);
      await house.crictl.ok('rmp', id);
    }
    expect([await idsOf('ps', '-aq'), await idsOf('pods', '-q')]).toEqual([[], []]);
  }

  async function restartWith(seed: number): Promise<string> {
    const random = randomFrom(seed);
    const work = await workload();
    const before = await layers();
    if (random() < 0.5) await house.daemon.kill9();
    else await house.daemon.stop();
    await end(work.ending);
    const { file, others } = await target(random);
    const name = pick(random, Object.keys(DAMAGES));
    const what = `${kindOf(house.scratch, file)} is ${name}`;
    try {
      await DAMAGES[name]?.(file, others);
      await house.daemon.start();
      await checkServed(work, file, name);
      expect(await layers()).toEqual(expect.arrayContaining(before));
      await removeAll();
      await house.assertEmpty();
    } catch (error) {
      throw internal(`seed ${seed}: ${what} (${file})`, error);
    }
    return what;
  }

  const base = Number(process.env['GANTRY_E2E_SEED'] ?? randomInt(1, 2 ** 31));
  const seeds = Array.from({ length: RESTARTS }, (_, index) => base + index);

  it.each(seeds)(
    'disturbs nothing else, and everything can be removed: seed %d',
    async (seed) => {
      // What a test that failed half-way has left.
      if (!house.daemon.running) await house.daemon.start();
      await house.crictl.ok('rmp', '-fa');
      await restartWith(seed);
    },
    RESTART_MS,
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
