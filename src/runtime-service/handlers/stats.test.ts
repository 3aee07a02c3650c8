import { beforeEach, describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { rejection, useScratch } from '../../base/testing.js';
import { silentLogger } from '../../base/log.js';
import type { CallContext } from '../../server/handlers.js';
import type { StatsContext } from '../stats/context.js';
import { addContainer, addSandbox, openStatsFixture } from '../stats/testing.js';
import { containerStats } from './container-stats.js';
import type { RuntimeServiceContext } from './context.js';
import { listContainerStats } from './list-container-stats.js';
import { listPodSandboxStats } from './list-pod-sandbox-stats.js';
import { podSandboxStats } from './pod-sandbox-stats.js';

const { ContainerStatsRequest, ListContainerStatsRequest, ListPodSandboxStatsRequest, PodSandboxStatsRequest } =
  runtime.v1;
const CALL: CallContext = { requestId: '1', logger: silentLogger(), signal: new AbortController().signal };
const scratch = useScratch('stats-handlers');

/** What the RPCs answer for two pods: a web one with three containers, and another with one. */
describe('the RPCs of stats', () => {
  let stats: StatsContext;
  let context: RuntimeServiceContext;
  let web: string;
  let other: string;
  let ids: Record<'app' | 'side' | 'old' | 'other', string>;
  beforeEach(async () => {
    stats = await openStatsFixture(scratch);
    context = { stats } as unknown as RuntimeServiceContext;
    web = (await addSandbox(stats, { labels: { tier: 'web', zone: 'a' } })).record.id;
    other = (await addSandbox(stats, { labels: { tier: 'data', zone: 'a' } })).record.id;
    ids = {
      app: (await addContainer(stats, web, { labels: { app: 'x', part: 'main' } })).record.id,
      side: (await addContainer(stats, web, { labels: { app: 'x' } })).record.id,
      old: (await addContainer(stats, web, { state: 'exited' })).record.id,
      other: (await addContainer(stats, other, { labels: { app: 'y' } })).record.id,
    };
    await addContainer(stats, web, { state: 'removing' });
  });

  type Response<T> = { readonly stats?: T[] | null } | Uint8Array;

  function idsOf(response: Response<{ attributes?: { id?: string | null } | null }>): (string | null | undefined)[] {
    if (response instanceof Uint8Array) return [];
    return (response.stats ?? []).map(({ attributes }) => attributes?.id).sort();
  }

  async function listed(filter?: runtime.v1.IContainerStatsFilter): Promise<unknown> {
    return idsOf(await listContainerStats(context)(new ListContainerStatsRequest({ filter: filter ?? null }), CALL));
  }

  async function listedPods(filter?: runtime.v1.IPodSandboxStatsFilter): Promise<unknown> {
    return idsOf(await listPodSandboxStats(context)(new ListPodSandboxStatsRequest({ filter: filter ?? null }), CALL));
  }

  it('ListContainerStats lists all that a list of containers has', async () => {
    expect(await listed()).toEqual(Object.values(ids).sort());
    expect(await listed({})).toEqual(Object.values(ids).sort());
  });

  it('ListContainerStats filters by id, pod and labels, and by all of them', async () => {
    expect(await listed({ id: ids.side })).toEqual([ids.side]);
    expect(await listed({ id: ids.side.slice(0, 20) })).toEqual([ids.side]);
    expect(await listed({ podSandboxId: other })).toEqual([ids.other]);
    expect(await listed({ labelSelector: { app: 'x' } })).toEqual([ids.app, ids.side].sort());
    expect(await listed({ labelSelector: { app: 'x', part: 'main' } })).toEqual([ids.app]);
    expect(await listed({ podSandboxId: other, labelSelector: { app: 'x' } })).toEqual([]);
    expect(await listed({ id: 'none' })).toEqual([]);
  });

  it('ListPodSandboxStats lists pods that are ready, filtered by id and labels', async () => {
    expect(await listedPods()).toEqual([web, other].sort());
    expect(await listedPods({ id: web.slice(0, 20) })).toEqual([web]);
    expect(await listedPods({ labelSelector: { zone: 'a', tier: 'data' } })).toEqual([other]);
    await stats.sandboxes.update(web, () => ({ state: 'not-ready', released: true }));
    expect(await listedPods()).toEqual([other]);
  });

  it('ContainerStats and PodSandboxStats answer for one', async () => {
    const container = await containerStats(context)(
      new ContainerStatsRequest({ containerId: ids.app.slice(0, 20) }),
      CALL,
    );
    expect(container).toMatchObject({ stats: { attributes: { id: ids.app } } });
    const pod = await podSandboxStats(context)(new PodSandboxStatsRequest({ podSandboxId: web }), CALL);
    expect(pod).toMatchObject({ stats: { attributes: { id: web } } });
  });

  it.each([
    ['', 'invalid-argument'],
    ['nobody', 'not-found'],
  ])('ContainerStats and PodSandboxStats refuse "%s"', async (id, code) => {
    expect(
      await rejection(containerStats(context)(new ContainerStatsRequest({ containerId: id }), CALL)),
    ).toMatchObject({ code });
    expect(
      await rejection(podSandboxStats(context)(new PodSandboxStatsRequest({ podSandboxId: id }), CALL)),
    ).toMatchObject({ code });
  });

  it('ContainerStats and PodSandboxStats know nobody who is about to go', async () => {
    await stats.containers.update(ids.app, () => ({ state: 'removing' }));
    await stats.sandboxes.update(web, () => ({ state: 'removing' }));
    for (const call of [
      containerStats(context)(new ContainerStatsRequest({ containerId: ids.app }), CALL),
      podSandboxStats(context)(new PodSandboxStatsRequest({ podSandboxId: web }), CALL),
    ])
      expect(await rejection(call)).toMatchObject({ code: 'not-found' });
  });
});
