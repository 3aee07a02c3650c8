import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Long from 'long';

import type { RpcName, RpcTypes } from '../api/cri/generated/services.js';
import { TestClient } from '../src/server/testing.js';
import { Random, seedOf } from './fuzz/random.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, IDLE } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';

const SEED = seedOf();
const CLIENTS = 8;
const CALLS_EACH = SETTINGS.full ? 2_000 : 300;
const DEADLINE_MS = patience(120_000);
const NAMES = ['a', 'b', 'c'] as const;

const LATE: number = status.DEADLINE_EXCEEDED;

/** What the loser of a race may hear. */
const FITTING: ReadonlySet<number> = new Set([
  status.OK,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.FAILED_PRECONDITION,
  status.UNAVAILABLE,
]);

/** One call of a client that does not know what the others do meanwhile. */
type Step = () => Promise<unknown>;

describe(`${CLIENTS} clients on the same pods, containers and images, GANTRY_FUZZ_SEED=${SEED}`, () => {
  const random = new Random(SEED);
  const image = { image: { image: BUSYBOX } };
  const pods: string[] = [];
  const containers: string[] = [];
  const faults: string[] = [];
  const counts: Record<string, number> = {};
  let house: House;
  let client: TestClient;
  beforeAll(async () => {
    house = await openHouse();
    client = new TestClient(house.scratch.socket);
  });
  afterAll(async () => {
    await endAll();
    client.close();
    await house.close();
  });

  /** The response, or nothing where the call was refused; what does not fit is kept for the test. */
  async function call<Name extends RpcName>(
    rpc: Name,
    request: Partial<RpcTypes[Name]['request']> = {},
  ): Promise<Required<RpcTypes[Name]['response']> | undefined> {
    try {
      const answer = await client.call(rpc, request, { deadline: Date.now() + DEADLINE_MS });
      count(`${rpc} OK`);
      return answer;
    } catch (error) {
      const { code, details }: { code: number; details: string } = error as ServiceError;
      count(`${rpc} ${status[code]}`);
      // The command of a container that is stopped meanwhile is killed with it, or its time is up.
      const late = rpc === 'ExecSync' && code === LATE;
      if (!FITTING.has(code) && !late) faults.push(`${rpc} ${status[code]}: ${details.slice(0, 1_000)}`);
      return undefined;
    }
  }

  function count(key: string): void {
    counts[key] = (counts[key] ?? 0) + 1;
  }

  /** The latest ones most, which are in the middle of something. */
  function some(ids: readonly string[]): string {
    const near = random.chance(0.8) ? Math.min(ids.length, 3) : ids.length;
    return ids[ids.length - 1 - random.below(Math.max(1, near))] ?? 'none';
  }

  async function runPod(): Promise<void> {
    const name = random.pick(NAMES);
    const config = {
      metadata: { name, uid: name, namespace: 'races', attempt: random.below(2) },
      logDirectory: `${house.scratch.logs}/races`,
      linux: {},
    };
    const made = await call('RunPodSandbox', { config });
    if (made?.podSandboxId) pods.push(made.podSandboxId);
  }

  async function createContainer(): Promise<void> {
    const config = {
      metadata: { name: random.pick(NAMES), attempt: random.below(2) },
      image: { image: BUSYBOX },
      command: random.chance(0.7) ? [...IDLE] : ['true'],
      logPath: 'races.log',
      linux: {},
    };
    if (random.chance(0.6)) await call('PullImage', image);
    const made = await call('CreateContainer', { podSandboxId: some(pods), config });
    if (!made?.containerId) return;
    containers.push(made.containerId);
    if (random.chance(0.8)) await call('StartContainer', { containerId: made.containerId });
    if (random.chance(0.5)) await execIn(made.containerId);
  }

  function execIn(containerId: string): Promise<unknown> {
    return call('ExecSync', { containerId, cmd: ['sh', '-c', 'echo x; sleep 0.05'], timeout });
  }

  const linux = { memoryLimitInBytes: Long.fromNumber(64 << 20) };
  const timeout = Long.fromNumber(1);
  const STEPS: readonly (readonly [weight: number, step: Step])[] = [
    [3, runPod],
    [10, createContainer],
    [4, () => call('StartContainer', { containerId: some(containers) })],
    [
      3,
      () => call('StopContainer', { containerId: some(containers), timeout: random.chance(0.5) ? timeout : Long.ZERO }),
    ],
    [2, () => call('RemoveContainer', { containerId: some(containers) })],
    [1, () => call('StopPodSandbox', { podSandboxId: some(pods) })],
    [1, () => call('RemovePodSandbox', { podSandboxId: some(pods) })],
    [4, () => execIn(some(containers))],
    [2, () => call('UpdateContainerResources', { containerId: some(containers), linux })],
    [1, () => call('UpdatePodSandboxResources', { podSandboxId: some(pods), resources: linux })],
    [1, () => call('ReopenContainerLog', { containerId: some(containers) })],
    [1, () => call('Exec', { containerId: some(containers), cmd: ['true'], stdout: true })],
    [1, () => call('Attach', { containerId: some(containers), stdout: true })],
    [1, () => call('PortForward', { podSandboxId: some(pods), port: [80] })],
    [3, () => call('PullImage', image)],
    [1, () => call('RemoveImage', image)],
    [1, () => call('ImageStatus', { ...image, verbose: true })],
    [1, () => call('ListImages')],
    [1, () => call('ImageFsInfo')],
    [1, () => call('ListContainers')],
    [1, () => call('ListPodSandbox')],
    [1, () => call('ContainerStatus', { containerId: some(containers), verbose: true })],
    [1, () => call('PodSandboxStatus', { podSandboxId: some(pods), verbose: true })],
    [1, () => call('ContainerStats', { containerId: some(containers) })],
    [1, () => call('PodSandboxStats', { podSandboxId: some(pods) })],
    [1, () => call('ListContainerStats')],
    [1, () => call('ListPodSandboxStats')],
    [1, () => call('ListPodSandboxMetrics')],
    [1, () => call('Status', { verbose: true })],
  ];
  const ALL = STEPS.flatMap(([weight, step]) => Array.from({ length: weight }, () => step));

  async function actAsClient(): Promise<void> {
    for (let n = 0; n < CALLS_EACH; n++) await ALL[random.below(ALL.length)]?.();
  }

  async function endAll(): Promise<void> {
    const { items } = await client.call('ListPodSandbox');
    await Promise.all((items ?? []).map(({ id }) => call('RemovePodSandbox', { podSandboxId: id ?? '' })));
  }

  it(
    'get a fitting answer each',
    async () => {
      await call('PullImage', image);
      await Promise.all(Array.from({ length: CLIENTS }, actAsClient));
      if (process.env['GANTRY_FUZZ_COUNTS'] !== undefined) console.log(counts);
      expect(faults.slice(0, 30)).toEqual([]);
      // Else nothing has been raced for.
      for (const key of ['CreateContainer OK', 'StartContainer OK', 'ExecSync OK'])
        expect(counts[key] ?? 0).toBeGreaterThan(0);
    },
    patience(1_200_000),
  );

  it('leave nothing behind', async () => {
    await endAll();
    expect((await client.call('ListContainers')).containers).toEqual([]);
    expect((await client.call('ListPodSandbox')).items).toEqual([]);
    await house.assertEmpty();
    expect((await house.daemon.log()).split('\n').filter((line) => line.includes('nobody caught'))).toEqual([]);
  });
});
