import { describe, expect, it } from '@jest/globals';

import { sumSamples } from './sum-samples.js';
import type { CgroupSample, MemoryUse } from './types.js';

const CPU = { usageNs: 10n, userNs: 6n, systemNs: 4n, periods: 1n, throttledPeriods: 1n, throttledNs: 5n };
const MEMORY: MemoryUse = {
  usage: 100n,
  workingSet: 80n,
  rss: 60n,
  cache: 20n,
  mappedFile: 10n,
  pageFaults: 7n,
  majorPageFaults: 1n,
  limitHits: 2n,
  oomKills: 1n,
};
const DEVICE = { device: '8:0', readBytes: 1n, writeBytes: 2n, reads: 3n, writes: 4n };
const PRESSURE = { some: { totalNs: 1n, avg10: 1, avg60: 1, avg300: 1 } };

const SAMPLE: CgroupSample = {
  timestamp: '1',
  nanoCores: 500n,
  cpu: { ...CPU, pressure: PRESSURE },
  memory: { ...MEMORY, limit: 200n, peak: 150n },
  swap: { usage: 5n, limit: 10n },
  io: { devices: [DEVICE] },
  tasks: { threads: 3n, limit: 10n },
  processes: [7, 8],
};

describe('sumSamples', () => {
  it('adds up every part, and leaves out what cannot be added', () => {
    const { timestamp, ...sum } = sumSamples([SAMPLE, SAMPLE]);
    expect(Number(timestamp)).toBeGreaterThan(1);
    expect(sum).toEqual({
      nanoCores: 1000n,
      cpu: { usageNs: 20n, userNs: 12n, systemNs: 8n, periods: 2n, throttledPeriods: 2n, throttledNs: 10n },
      memory: {
        usage: 200n,
        workingSet: 160n,
        limit: 400n,
        rss: 120n,
        cache: 40n,
        mappedFile: 20n,
        pageFaults: 14n,
        majorPageFaults: 2n,
        limitHits: 4n,
        oomKills: 2n,
      },
      swap: { usage: 10n, limit: 20n },
      io: { devices: [{ device: '8:0', readBytes: 2n, writeBytes: 4n, reads: 6n, writes: 8n }] },
      tasks: { threads: 6n, limit: 20n },
      processes: [7, 8, 7, 8],
    });
  });

  it('has a limit only where all have one', () => {
    const { memory, swap } = sumSamples([SAMPLE, { timestamp: '1', memory: MEMORY, swap: { usage: 1n } }]);
    expect(memory).not.toHaveProperty('limit');
    expect(swap).toEqual({ usage: 6n });
  });

  it('keeps devices apart', () => {
    const other = { ...DEVICE, device: '8:16' };
    const { io } = sumSamples([SAMPLE, { timestamp: '1', io: { devices: [other, DEVICE] } }]);
    expect(io?.devices).toEqual([{ device: '8:0', readBytes: 2n, writeBytes: 4n, reads: 6n, writes: 8n }, other]);
  });

  it('takes what some do not tell from the others', () => {
    expect(sumSamples([SAMPLE, { timestamp: '1' }]).processes).toEqual([7, 8]);
  });

  it('of nothing is a time', () => {
    expect(Object.keys(sumSamples([]))).toEqual(['timestamp']);
  });
});
