import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Long from 'long';

import { runtime } from '../api/cri/generated/api.cjs';
import { sleep } from '../src/base/abort.js';
import { statusOf, TestClient } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { patience } from './harness/settings.js';
import { waitFor } from './harness/wait.js';
import { OWN } from './images/own-images.js';

const MIB = 1024 * 1024;
const DEAF = 'trap "" TERM; while :; do sleep 1; done';
/** Milliseconds between a creation and the stop of its pod. */
const DELAYS = [0, 20, 40, 80, 160] as const;

describe('how containers end', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    for (const image of [BUSYBOX, OWN.stopSignal]) await house.crictl.ok('pull', image);
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    if (!house.daemon.running) await house.daemon.start();
    await house.crictl.ok('rmp', '-fa');
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });

  async function running(script: string, fields: object = {}): Promise<string> {
    const container = await writeContainer(house, { command: ['sh', '-c', script], ...fields });
    return runContainer(house, podId, { pod, container });
  }

  async function ended(id: string) {
    return waitFor('end of the container', 20_000, async () => {
      const view = await inspect(house, id);
      return view.status.state === 'CONTAINER_EXITED' ? view.status : undefined;
    });
  }

  it.each([
    ['exit 0', 0, 'Completed'],
    ['exit 3', 3, 'Error'],
    ['kill -TERM $$; sleep 5', 143, 'Error'],
    ['kill -KILL $$', 137, 'Error'],
  ])('%s', async (script, exitCode, reason) => {
    // In a pid namespace of its own it would be init, which hears no signal that it does not ask for.
    expect(await ended(await running(script))).toMatchObject({ exitCode, reason });
  });

  it('says that memory was the reason', async () => {
    const resources = { memory_limit_in_bytes: 16 * MIB, memory_swap_limit_in_bytes: 16 * MIB };
    const id = await running('exec tail /dev/zero', { linux: { resources } });
    expect(await ended(id)).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  it('does not blame memory for a KILL', async () => {
    const id = await running(DEAF, { linux: { resources: { memory_limit_in_bytes: 64 * MIB } } });
    await house.crictl.ok('stop', '--timeout', '0', id);
    expect(await ended(id)).toMatchObject({ exitCode: 137, reason: 'Error' });
  });

  it.each([
    ['the image’s signal', { image: { image: OWN.stopSignal } }, 10],
    ['the signal that was asked for', { image: { image: OWN.stopSignal }, stop_signal: runtime.v1.Signal.SIGUSR2 }, 12],
    ['TERM where nobody says otherwise', {}, 15],
  ])('is by %s', async (_, fields, signal) => {
    const traps = [10, 12, 15].map((number) => `trap "exit ${number}" ${number}`).join('; ');
    const id = await running(`${traps}; while :; do sleep 3600 & wait; done`, fields);
    await house.crictl.ok('stop', '--timeout', '20', id);
    expect(await ended(id)).toMatchObject({ exitCode: signal });
  });

  it('comes sooner when a second stop has less patience', async () => {
    const id = await running(DEAF);
    const started = Date.now();
    const first = callCri(house, 'StopContainer', { containerId: id, timeout: Long.fromNumber(50) });
    await sleep(300);
    await callCri(house, 'StopContainer', { containerId: id, timeout: Long.fromNumber(1) });
    await first;
    expect(Date.now() - started).toBeLessThan(patience(10_000));
    expect(await ended(id)).toMatchObject({ exitCode: 137 });
  });

  it('comes though the client of the stop gave up', async () => {
    const id = await running(DEAF);
    const client = new TestClient(house.scratch.socket);
    const stop = { containerId: id, timeout: Long.fromNumber(2) };
    const answer = await statusOf(client.call('StopContainer', stop, { deadline: Date.now() + 200 }));
    client.close();
    expect(answer).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(await ended(id)).toMatchObject({ exitCode: 137 });
  });

  it('is no start of what has ended, nor a second one', async () => {
    const id = await running('exit 0');
    await ended(id);
    const again = await statusOf(callCri(house, 'StartContainer', { containerId: id }));
    expect(again).toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(again.details).toContain(id);
  });

  it('may come before the start', async () => {
    const id = await house.crictl.ok('create', podId, await writeContainer(house), pod.path);
    await house.crictl.ok('stop', id);
    expect(await ended(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
    await house.crictl.ok('rm', id);
  });

  it.each(DELAYS)('comes to one that is being made when its pod is stopped (%d ms)', async (delay) => {
    const container = await writeContainer(house);
    const creation = house.crictl.run('create', podId, container, pod.path);
    await sleep(delay);
    await house.crictl.ok('stopp', podId);
    await creation;
    for (const id of (await house.crictl.ok('ps', '-aq')).split('\n').filter(Boolean)) {
      expect(await ended(id)).toMatchObject({ state: 'CONTAINER_EXITED' });
    }
    await house.crictl.ok('rmp', podId);
    await house.assertEmpty();
  });

  it('is what it was after a crash of the daemon, in every state', async () => {
    const created = await house.crictl.ok('create', podId, await writeContainer(house), pod.path);
    const alive = await running('trap "exit 5" TERM; while :; do sleep 3600 & wait; done');
    const past = await running('exit 3');
    const before = await ended(past);
    await house.daemon.kill9();
    await house.daemon.start();
    expect((await inspect(house, created)).status.state).toBe('CONTAINER_CREATED');
    expect((await inspect(house, alive)).status.state).toBe('CONTAINER_RUNNING');
    expect((await inspect(house, past)).status).toEqual(before);
    await house.crictl.ok('start', created);
    expect(await house.crictl.ok('exec', '-s', created, 'echo', 'alive')).toBe('alive');
    await house.crictl.ok('stop', '--timeout', '20', alive);
    expect(await ended(alive)).toMatchObject({ exitCode: 5 });
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-fa');
    await house.assertEmpty();
  });
});
