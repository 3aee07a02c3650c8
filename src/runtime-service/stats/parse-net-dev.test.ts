import { describe, expect, it } from '@jest/globals';

import { parseNetDev } from './parse-net-dev.js';

const TEXT = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 477887835   30429    0    0    0     0          0         0 477887835   30429    0    0    0     0       0          0
  eth0: 834731605   30381    1    2    0     0          0         0  3033479   21557    3    4    0     0       0          0
 eth0:1:18446744073709551615 7    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

describe('parseNetDev', () => {
  const interfaces = parseNetDev(TEXT);

  it('reads an interface a line, without the heading', () => {
    expect(interfaces.map(({ name }) => name)).toEqual(['lo', 'eth0', 'eth0:1']);
  });

  it('tells received and sent apart', () => {
    expect(interfaces[1]).toEqual({
      name: 'eth0',
      rxBytes: 834731605n,
      rxPackets: 30381n,
      rxErrors: 1n,
      rxDropped: 2n,
      txBytes: 3033479n,
      txPackets: 21557n,
      txErrors: 3n,
      txDropped: 4n,
    });
  });

  it('reads counters without a blank before them, and as long as they get', () => {
    expect(interfaces[2]).toMatchObject({ rxBytes: 18446744073709551615n, rxPackets: 7n });
  });

  it.each(['', 'eth0: 1 2 3\n'])('finds none in %j', (text) => {
    expect(parseNetDev(text)).toEqual([]);
  });
});
