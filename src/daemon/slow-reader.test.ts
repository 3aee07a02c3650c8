import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { silentLogger } from '../base/log.js';
import { until, useScratch } from '../base/testing.js';
import { EventHub } from '../runtime-service/events/event-hub.js';
import { getContainerEvents } from '../runtime-service/handlers/get-container-events.js';
import type { RuntimeServiceContext } from '../runtime-service/handlers/context.js';
import { openContainerStore } from '../runtime-service/container/store.js';
import { openSandboxStore } from '../sandbox/store.js';
import { podConfig } from '../sandbox/testing.js';
import type { SandboxRecord } from '../sandbox/types.js';
import { startBench, statusOf, TestClient } from '../server/testing.js';

const scratch = useScratch('slow-reader');
const LIMIT = 20;
const ROUNDS = 150;
/** More than the connection holds, with all events. */
const NOTE = 'x'.repeat(32 * 1024);

type Events = ReturnType<typeof TestClient.prototype.stream<'GetContainerEvents'>>;

describe('a client of GetContainerEvents that does not read', () => {
  it('is told how many events it lost, after those that are kept for it; others miss nothing', async () => {
    const stores = {
      sandboxes: await openSandboxStore(scratch.path('root'), silentLogger()),
      containers: await openContainerStore(scratch.path('root'), silentLogger()),
    };
    const events = new EventHub(stores, { maxBehind: LIMIT });
    const context = { events } as unknown as RuntimeServiceContext;
    const bench = await startBench({ GetContainerEvents: getContainerEvents(context) });
    scratch.defer(() => bench.close());
    const config = podConfig({ annotations: { note: NOTE } });
    const happen = async (): Promise<string> => {
      const id = newId();
      await stores.sandboxes.create({ id, config, createdAt: '1' } as SandboxRecord, { state: 'creating' });
      const pause = { pid: 0, startTime: '' };
      await stores.sandboxes.update(id, () => ({ state: 'ready', pause, ips: [] }));
      return id;
    };
    // On a connection of its own, as another program.
    const other = new TestClient(bench.server.address);
    scratch.defer(() => other.close());
    const [slow, quick] = [bench.client, other].map((client) => client.stream('GetContainerEvents')) as [
      Events,
      Events,
    ];
    const seen: string[] = [];
    quick.on('data', ({ containerId }: { containerId: string }) => seen.push(containerId));
    quick.on('error', () => undefined);
    // The server tells of what happens once it has taken the calls.
    let begun = false;
    slow.once('readable', () => {
      begun = true;
    });
    await until(async () => (await happen()) !== '' && seen.length > 0 && begun);
    const first = await happen();
    await until(() => seen.at(-2) === first);
    const before = seen.length;
    const ids: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ids.push(await happen());
      await until(() => seen.length === before + 2 * ids.length);
    }
    expect(seen.slice(before)).toEqual(ids.flatMap((id) => [id, id]));
    const late: string[] = [];
    const end = await statusOf(
      (async () => {
        for await (const { containerId } of slow as AsyncIterable<{ containerId: string }>) late.push(containerId);
      })(),
    );
    expect(end.code).toBe(status.RESOURCE_EXHAUSTED);
    const [lost = ''] = /\d+(?= events are lost)/.exec(end.details) ?? [];
    // What it has is without a gap, and the rest is counted.
    const all = seen.slice(seen.indexOf(late[0] ?? ''));
    expect(late).toEqual(all.slice(0, late.length));
    expect(late.length + Number(lost)).toBe(all.length);
    expect(Number(lost)).toBeGreaterThan(0);
    quick.cancel();
  });
});
