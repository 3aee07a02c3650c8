/** Writes small archives for tests, sound ones and hostile ones: nothing is checked. */

export interface FixtureEntry {
  readonly name: string;
  /** The type flag; a file by default. */
  readonly flag?: string;
  readonly data?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [major: number, minor: number];
  /** Records of a PAX header before the entry. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** Overrides the size field, to lie. */
  readonly size?: number;
}

/** An archive of these entries with its two blocks of zeros. */
export function tarOf(entries: readonly FixtureEntry[]): Buffer {
  return Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]);
}

export function tarEntry(entry: FixtureEntry): Buffer {
  const pax = entry.pax === undefined ? [] : [paxEntry(entry.pax)];
  const data = Buffer.from(entry.data ?? '');
  return Buffer.concat([...pax, tarHeader(entry, entry.size ?? data.length), data, padding(data.length)]);
}

/** A header block with a right checksum. */
export function tarHeader(entry: FixtureEntry, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100, 'latin1');
  octal(block, entry.mode ?? (entry.flag === '5' ? 0o755 : 0o644), [100, 8]);
  octal(block, entry.uid ?? 0, [108, 8]);
  octal(block, entry.gid ?? 0, [116, 8]);
  octal(block, size, [124, 12]);
  octal(block, entry.mtime ?? 1_700_000_000, [136, 12]);
  block.write(entry.flag ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, entry.device?.[0] ?? 0, [329, 8]);
  octal(block, entry.device?.[1] ?? 0, [337, 8]);
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function paxEntry(records: Readonly<Record<string, string | Buffer>>, flag = 'x'): Buffer {
  const data = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))));
  return tarEntry({ name: 'PaxHeaders/x', flag, data });
}

/** A record's length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** Octal, or base-256 for what is too big (GNU tar). */
function octal(block: Buffer, value: number, [start, length]: readonly [number, number]): void {
  const digits = value.toString(8).padStart(length - 1, '0');
  if (digits.length < length) {
    block.write(digits, start, 'latin1');
    return;
  }
  block.writeUIntBE(value, start + length - 6, 6);
  block[start] = (block[start] ?? 0) | 0x80;
}

function padding(size: number): Buffer {
  return Buffer.alloc((512 - (size % 512)) % 512);
}
