import type { DeviceIo } from './types.js';

/** v2's `io.stat`: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`, one device a line. */
export function parseIoStat(text: string): DeviceIo[] {
  return text.split('\n').flatMap((line) => {
    const [device = '', ...pairs] = line.trim().split(/\s+/);
    if (!/^\d+:\d+$/.test(device)) return [];
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    const get = (key: string): bigint => toCount(values.get(key));
    return { device, readBytes: get('rbytes'), writeBytes: get('wbytes'), reads: get('rios'), writes: get('wios') };
  });
}

/** v1's `blkio.throttle.io_service_bytes` and `io_serviced`: `8:0 Read 4096`, one device and operation a line. */
export function parseBlkio(bytes: string, operations: string): DeviceIo[] {
  const [inBytes, inOperations] = [blkioTable(bytes), blkioTable(operations)];
  const devices = new Set([...inBytes.keys(), ...inOperations.keys()]);
  return [...devices].map((device) => ({
    device,
    readBytes: inBytes.get(device)?.get('Read') ?? 0n,
    writeBytes: inBytes.get(device)?.get('Write') ?? 0n,
    reads: inOperations.get(device)?.get('Read') ?? 0n,
    writes: inOperations.get(device)?.get('Write') ?? 0n,
  }));
}

function blkioTable(text: string): Map<string, Map<string, bigint>> {
  const table = new Map<string, Map<string, bigint>>();
  for (const line of text.split('\n')) {
    const match = /^(\d+:\d+) (\w+) (\d+)$/.exec(line.trim());
    if (match === null) continue;
    const [, device = '', operation = '', count] = match;
    const row = table.get(device) ?? new Map<string, bigint>();
    table.set(device, row.set(operation, toCount(count)));
  }
  return table;
}

function toCount(text: string | undefined): bigint {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}
