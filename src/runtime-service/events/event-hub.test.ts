import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { nowNs } from '../../base/clock.js';
import { newId } from '../../base/ids.js';
import { silentLogger } from '../../base/log.js';
import { openSandboxStore, type SandboxStore } from '../../sandbox/store.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import { openContainerStore, type ContainerStore } from '../container/store.js';
import type { ContainerProcesses, ContainerRecord } from '../container/types.js';
import { EventHub } from './event-hub.js';

const NOBODY = { pid: 0, startTime: '' };
const PROCESSES: ContainerProcesses = { init: NOBODY, monitor: NOBODY, cgroupDir: '' };

describe('EventHub', () => {
  let root: string;
  let sandboxes: SandboxStore;
  let containers: ContainerStore;
  let hub: EventHub;
  const sandboxId = newId();

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'gantry-events-'));
    sandboxes = await openSandboxStore(root, silentLogger());
    containers = await openContainerStore(root, silentLogger());
    hub = new EventHub({ sandboxes, containers });
  });
  afterEach(() => rm(root, { recursive: true }));

  async function addContainer(): Promise<string> {
    const id = newId();
    await containers.create({ id, sandboxId, createdAt: nowNs() } as ContainerRecord, { state: 'creating' });
    await containers.update(id, () => ({ state: 'created', processes: PROCESSES }));
    return id;
  }

  it('tells of a pod in order, with the pod as it was then', async () => {
    const events = hub.read();
    const first = events.next();
    await sandboxes.create({ id: sandboxId } as SandboxRecord, { state: 'creating' });
    await sandboxes.update(sandboxId, () => ({ state: 'ready', pause: NOBODY, ips: [] }));
    const id = await addContainer();
    await containers.update(id, () => ({ state: 'running', processes: PROCESSES, startedAt: '1' }));
    const seen = [await first, await events.next(), await events.next(), await events.next()].map(({ value }) => value);
    expect(seen.map((snapshot) => snapshot?.event)).toEqual([
      { type: 'created', id: sandboxId, sandboxId },
      { type: 'started', id: sandboxId, sandboxId },
      { type: 'created', id, sandboxId },
      { type: 'started', id, sandboxId },
    ]);
    expect(seen[2]?.containers.map(({ status }) => status.state)).toEqual(['created']);
    expect(seen[2]?.sandbox?.status.state).toBe('ready');
    await events.return();
  });

  it('has the containers of an event newest first', async () => {
    const events = hub.read();
    const first = events.next();
    const ids = [await addContainer(), await addContainer(), await addContainer()];
    await first;
    await events.next();
    const { value } = await events.next();
    expect(value?.containers.map(({ record }) => record.id)).toEqual(ids.reverse());
    await events.return();
  });

  it('tells of the deletion of a pod with what it was last', async () => {
    await sandboxes.create({ id: sandboxId } as SandboxRecord, { state: 'creating' });
    await sandboxes.update(sandboxId, () => ({ state: 'removing' }));
    const events = hub.read();
    const first = events.next();
    await sandboxes.delete(sandboxId);
    const { value } = await first;
    expect(value?.event).toEqual({ type: 'deleted', id: sandboxId, sandboxId });
    expect(value?.sandbox?.record.id).toBe(sandboxId);
    await events.return();
  });

  it('says nothing of what was before the reader came', async () => {
    await addContainer();
    const events = hub.read();
    const first = events.next();
    const id = await addContainer();
    expect((await first).value?.event).toEqual({ type: 'created', id, sandboxId });
    await events.return();
  });

  it('tells a reader that fell behind how many events it lost, after those that it has', async () => {
    const small = new EventHub({ sandboxes, containers }, { maxBehind: 2 });
    const events = small.read();
    const first = events.next();
    const ids = [];
    for (let n = 0; n < 6; n++) ids.push(await addContainer());
    expect((await first).value?.event.id).toBe(ids[0]);
    const rest: (string | undefined)[] = [];
    const drain = async (): Promise<void> => {
      for (let at = await events.next(); !at.done; at = await events.next()) rest.push(at.value.event.id);
    };
    await expect(drain()).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringMatching(/ 3 events/),
    });
    expect(rest).toEqual(ids.slice(1, 3));
  });
});
