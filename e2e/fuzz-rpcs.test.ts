import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { RPCS } from '../api/cri/generated/services.js';
import { run } from '../src/base/spawn.js';
import { TestClient } from '../src/server/testing.js';
import { Random, seedOf } from './fuzz/random.js';
import { randomCall, type FuzzedCall } from './fuzz/requests.js';
import type { World } from './fuzz/values.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const CALLS = SETTINGS.full ? 20_000 : 2_000;
const SEED = seedOf();
/** How many requests are between two looks at the daemon. */
const ROUND = 50;
const MAX_PODS = 5;
/** Longer than any call takes that ends at all. */
const DEADLINE_MS = patience(120_000);
const LATE: number = status.DEADLINE_EXCEEDED;
/** An event stream is read for so long. */
const STREAM_MS = 100;

/** A call that ended in one of these has met a fault of ours. */
const FAULTS: ReadonlySet<number> = new Set([
  status.UNKNOWN,
  status.INTERNAL,
  status.DATA_LOSS,
  status.CANCELLED,
  status.ABORTED,
  status.OUT_OF_RANGE,
]);

describe(`${CALLS} requests of any kind, GANTRY_FUZZ_SEED=${SEED}`, () => {
  let house: House;
  let client: Client;
  let kubelet: TestClient;
  let world: World;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    await furnish(house);
    client = new Client(`unix:${house.scratch.socket}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
    kubelet = new TestClient(house.scratch.socket);
    world = { scratch: house.scratch, random: new Random(SEED), pods: [], containers: [] };
  });
  afterAll(async () => {
    await endAll();
    client.close();
    kubelet.close();
    await house.close();
  });

  /** The status of one call. */
  function answerTo({ rpc, bytes }: FuzzedCall): Promise<{ code: number; details: string }> {
    const { path, streams } = RPCS[rpc];
    const asIs = (message: Uint8Array): Buffer => Buffer.from(message);
    const options = { deadline: Date.now() + DEADLINE_MS };
    if (!streams) {
      return new Promise((resolve) => {
        const done = (error: ServiceError | null): void => resolve(error ?? { code: status.OK, details: '' });
        client.makeUnaryRequest(path, asIs, asIs, bytes, options, done);
      });
    }
    return new Promise((resolve) => {
      const call = client.makeServerStreamRequest(path, asIs, asIs, bytes, options);
      let left = false;
      const leave = setTimeout(() => {
        left = true;
        call.cancel();
      }, STREAM_MS);
      call.on('data', () => undefined);
      call.on('error', (error: ServiceError) => {
        clearTimeout(leave);
        resolve(left && error.code === status.CANCELLED ? { code: status.OK, details: '' } : error);
      });
      call.on('end', () => {
        clearTimeout(leave);
        resolve({ code: status.OK, details: '' });
      });
    });
  }

  /** Looks at what there is, has few pods of it, and that the daemon answers. */
  async function look(): Promise<void> {
    await kubelet.call('Version');
    const { items: pods } = await kubelet.call('ListPodSandbox');
    const ids = (pods ?? []).map(({ id }) => id ?? '');
    for (const podSandboxId of ids.splice(0, Math.max(0, ids.length - MAX_PODS))) await end(podSandboxId);
    const { containers } = await kubelet.call('ListContainers');
    world.pods.splice(0, Infinity, ...ids);
    world.containers.splice(0, Infinity, ...(containers ?? []).map(({ id }) => id ?? ''));
    const { image } = await kubelet.call('ImageStatus', { image: { image: BUSYBOX } });
    if (image === null) await kubelet.call('PullImage', { image: { image: BUSYBOX } });
  }

  async function end(podSandboxId: string): Promise<void> {
    await kubelet.call('StopPodSandbox', { podSandboxId });
    await kubelet.call('RemovePodSandbox', { podSandboxId });
  }

  async function endAll(): Promise<void> {
    const { items } = await kubelet.call('ListPodSandbox');
    for (const { id } of items ?? []) await end(id ?? '');
  }

  async function memory(): Promise<number> {
    const text = await readFile(`/proc/${house.daemon.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]) / 1000;
  }

  it(
    'get a fitting answer each, and leave nothing behind',
    async () => {
      const { pid } = house.daemon;
      await look();
      const before = await memory();
      const counts: Record<string, number> = {};
      const faults: string[] = [];
      for (let n = 0; n < CALLS; n++) {
        if (n % ROUND === 0) await look();
        const call = randomCall(world);
        const { code, details } = await answerTo(call);
        const key = `${call.rpc} ${status[code]}`;
        counts[key] = (counts[key] ?? 0) + 1;
        const late = code === LATE && call.rpc !== 'ExecSync';
        if (late || FAULTS.has(code))
          faults.push(`${n}: ${key}: ${details.slice(0, 1_000)}\n    ${describeCall(call)}`);
      }
      if (process.env['GANTRY_FUZZ_COUNTS'] !== undefined) console.log(counts);
      expect(faults.slice(0, 50)).toEqual([]);
      expect(house.daemon.pid).toBe(pid);
      await endAll();
      await house.assertEmpty();
      // Also those that have just gone wrong for want of an end.
      expect((await house.daemon.log()).split('\n').filter((line) => line.includes('nobody caught'))).toEqual([]);
      await waitFor('memory given back', 60_000, async () => ((await memory()) < before + 150 ? true : undefined));
    },
    patience(1_800_000),
  );
});

function describeCall({ request, bytes }: FuzzedCall): string {
  const text = JSON.stringify(request, (_, value: unknown) =>
    typeof value === 'string' && value.length > 200 ? `${value.slice(0, 100)}… (${value.length})` : value,
  );
  return request === 'broken bytes'
    ? `bytes ${Buffer.from(bytes.subarray(0, 200)).toString('hex')}`
    : text.slice(0, 3_000);
}

/** What paths of requests lead to. */
async function furnish({ scratch }: House): Promise<void> {
  const dir = join(scratch.dir, 'fuzz');
  await mkdir(join(dir, 'dir'), { recursive: true });
  await writeFile(join(dir, 'file'), 'a file\n');
  await symlink('dir', join(dir, 'link'));
  await symlink('ring', join(dir, 'ring'));
  await mkdir(join(scratch.logs, 'fuzz'));
  await run('mkfifo', [join(dir, 'fifo')], { timeoutMs: 5_000 });
}
