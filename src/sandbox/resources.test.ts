import { beforeEach, describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { KeyedLock } from '../base/keyed-lock.js';
import { silentLogger } from '../base/log.js';
import { rejection, useScratch } from '../base/testing.js';
import { NO_LIMITS, type ContainerResources } from '../oci/spec/resources.js';
import type { SandboxContext } from './context.js';
import { podResourcesOf, updatePodResources } from './resources.js';
import { openSandboxStore, type SandboxStore } from './store.js';
import { podConfig } from './testing.js';
import type { PodResources, SandboxRecord } from './types.js';

const scratch = useScratch('pod-resources');
const shares = (cpuShares: number): ContainerResources => ({ ...NO_LIMITS, cpuShares });

describe('the resources of a pod', () => {
  let store: SandboxStore;
  let context: SandboxContext;
  beforeEach(async () => {
    store = await openSandboxStore(scratch.root, silentLogger());
    context = { store, locks: new KeyedLock() } as unknown as SandboxContext;
  });

  async function sandbox(made: PodResources): Promise<string> {
    const id = newId();
    const config = podConfig(made);
    const record = { id, config, handler: 'test', createdAt: '1' } as unknown as SandboxRecord;
    await store.create(record, { state: 'creating' });
    await store.update(id, () => ({ state: 'ready', pause: { pid: 1, startTime: '1' }, ips: [] }));
    return id;
  }

  it('are those that it was made with until others are set, part by part', async () => {
    const id = await sandbox({ overhead: shares(10), resources: shares(100) });
    expect(podResourcesOf(store.find(id))).toEqual({ overhead: shares(10), resources: shares(100) });
    await updatePodResources(context, id.slice(0, 20), { resources: shares(200) });
    expect(podResourcesOf(store.find(id))).toEqual({ overhead: shares(10), resources: shares(200) });
    await updatePodResources(context, id, { overhead: shares(20) });
    expect(podResourcesOf(store.find(id))).toEqual({ overhead: shares(20), resources: shares(200) });
  });

  it('survive a restart', async () => {
    const id = await sandbox({});
    expect(podResourcesOf(store.find(id))).toEqual({});
    await updatePodResources(context, id, { resources: shares(300) });
    const again = await openSandboxStore(scratch.root, silentLogger());
    expect(podResourcesOf(again.find(id))).toEqual({ resources: shares(300) });
  });

  it('cannot be changed once the sandbox has ended, or without one', async () => {
    const id = await sandbox({ resources: shares(100) });
    await store.update(id, () => ({ state: 'not-ready', released: true }));
    expect(await rejection(updatePodResources(context, id, {}))).toMatchObject({
      code: 'failed-precondition',
      message: `sandbox "${id}" is not-ready: its resources cannot be changed`,
    });
    expect(podResourcesOf(store.find(id))).toEqual({ resources: shares(100) });
    expect(await rejection(updatePodResources(context, newId(), {}))).toMatchObject({ code: 'not-found' });
  });
});
