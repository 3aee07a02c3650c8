import { beforeEach, describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { useScratch } from '../../base/testing.js';
import type { StatsContext } from '../stats/context.js';
import { podUse, type PodUse } from '../stats/pod-use.js';
import { addContainer, addSandbox, openStatsFixture } from '../stats/testing.js';
import { plain } from './testing.js';
import { fromPodUse } from './sandbox-stats.js';

const scratch = useScratch('sandbox-stats');
const COUNTERS = { rxPackets: 0n, rxDropped: 0n, txPackets: 0n, txDropped: 0n };
const ETH0 = { ...COUNTERS, name: 'eth0', rxBytes: 11n, rxErrors: 12n, txBytes: 13n, txErrors: 14n };

describe('fromPodUse', () => {
  let context: StatsContext;
  beforeEach(async () => {
    context = await openStatsFixture(scratch);
  });

  function seen(use: PodUse): { attributes: object; linux: Record<string, unknown> } {
    const { PodSandboxStats } = runtime.v1;
    const message = PodSandboxStats.decode(PodSandboxStats.encode(fromPodUse(use, '/var/lib/x')).finish());
    return plain(message) as {
      attributes: object;
      linux: Record<string, unknown>;
    };
  }

  it('gives a pod, its network and its containers', async () => {
    const sandbox = await addSandbox(context, { labels: { app: 'web' } });
    const container = await addContainer(context, sandbox.record.id);
    const use = await podUse(context, sandbox);
    const network = { timestamp: '9', primary: ETH0, others: [{ ...ETH0, name: 'net1' }] };
    const { attributes, linux } = seen({ ...use, network });
    const { id, config } = sandbox.record;
    expect(attributes).toMatchObject({ id, metadata: config.metadata, labels: { app: 'web' } });
    const values = { rxBytes: { value: '11' }, rxErrors: { value: '12' }, txBytes: { value: '13' } };
    expect(linux).toMatchObject({
      cpu: { usageCoreNanoSeconds: { value: '2500417000' } },
      memory: { workingSetBytes: { value: '20971520' } },
      process: { timestamp: use.total?.timestamp, processCount: { value: '2' } },
      network: {
        timestamp: '9',
        defaultInterface: { name: 'eth0', ...values, txErrors: { value: '14' } },
        interfaces: [{ name: 'eth0', ...values }, { name: 'net1' }],
      },
      containers: [{ attributes: { id: container.record.id }, cpu: { timestamp: expect.any(String) } }],
    });
  });

  it('gives a pod that is not ready its containers alone', async () => {
    const { record } = await addSandbox(context);
    const stopped = await context.sandboxes.update(record.id, () => ({ state: 'not-ready', released: false }));
    await addContainer(context, record.id, { state: 'exited' });
    expect(Object.keys(seen(await podUse(context, stopped)).linux)).toEqual(['containers']);
  });
});
