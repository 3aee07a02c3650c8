import { describe, expect, it } from '@jest/globals';

import { V1_CGROUP, V2_CGROUP } from './cgroup-fixture.js';
import { parseBlkio, parseIoStat } from './parse-io.js';

const SDA = { device: '8:0', readBytes: 90430464n, writeBytes: 299008000n, reads: 8950n, writes: 1252n };

describe('parseIoStat', () => {
  it('reads a line a device', () => {
    const sdb = { device: '8:16', readBytes: 1459200n, writeBytes: 314773504n, reads: 192n, writes: 353n };
    expect(parseIoStat(V2_CGROUP['io.stat'] ?? '')).toEqual([sdb, SDA]);
  });

  it('takes keys that are missing for 0, and passes over the ones of other policies', () => {
    expect(parseIoStat('8:0 rbytes=4096 cost.usage=12\n')).toEqual([
      { device: '8:0', readBytes: 4096n, writeBytes: 0n, reads: 0n, writes: 0n },
    ]);
  });

  it.each(['', '\n', 'garbage\n', '8 rbytes=1\n'])('finds no device in %j', (text) => {
    expect(parseIoStat(text)).toEqual([]);
  });
});

describe('parseBlkio', () => {
  it('joins the tables of bytes and operations', () => {
    const bytes = V1_CGROUP['blkio/blkio.throttle.io_service_bytes_recursive'] ?? '';
    const operations = V1_CGROUP['blkio/blkio.throttle.io_serviced_recursive'] ?? '';
    expect(parseBlkio(bytes, operations)).toEqual([SDA]);
  });

  it('has a device that only one table knows', () => {
    expect(parseBlkio('', '7:1 Write 3\nTotal 3\n')).toEqual([
      { device: '7:1', readBytes: 0n, writeBytes: 0n, reads: 0n, writes: 3n },
    ]);
  });

  it('finds nothing where nothing was read or written', () => {
    expect(parseBlkio('Total 0\n', 'Total 0\n')).toEqual([]);
  });
});
