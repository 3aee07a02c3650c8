import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { codeOf } from '../../base/errors.js';
import { thrown } from '../../base/testing.js';
import { IsalGunzip } from './isal-gunzip.js';

/** Pushes what is compressed in pieces of the given sizes, in turn. */
function gunzip(data: Buffer, sizes: readonly number[] = [data.length]): Buffer {
  const parts: Buffer[] = [];
  const isal = IsalGunzip.open((plain) => parts.push(Buffer.from(plain)));
  for (let at = 0, turn = 0; at < data.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    // A copy, so that reading past its end would be seen.
    isal?.push(Buffer.from(data.subarray(at, at + size)));
    at += size;
  }
  isal?.end();
  isal?.close();
  return Buffer.concat(parts);
}

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 20_000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat(20_000))
    .map(([unit, times]) => repeated(unit, times)),
);
const repeated = (unit: Uint8Array, times: number): Uint8Array => Buffer.alloc(unit.length * times, unit);
const anySizes = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100_000 })), {
  minLength: 1,
  maxLength: 5,
});

const here = IsalGunzip.open(() => undefined) === undefined ? test.skip : test;

describe('IsalGunzip (skipped where libisal2 is not installed)', () => {
  here('gives back what was compressed, at any level and in any pieces', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: 0, max: 9 }), anySizes, (plain, level, sizes) => {
        expect(gunzip(gzipSync(plain, { level }), sizes).equals(plain)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  here('goes on with the next member, and passes over zeros behind the last one', () => {
    fc.assert(
      fc.property(
        fc.array(anyBytes, { minLength: 1, maxLength: 4 }),
        anySizes,
        fc.boolean(),
        (plains, sizes, zeros) => {
          const members = plains.map((plain) => gzipSync(plain));
          const data = Buffer.concat([...members, ...(zeros ? [Buffer.alloc(700)] : [])]);
          expect(gunzip(data, sizes).equals(Buffer.concat(plains))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  here('refuses what else is behind the last member', () => {
    for (const [bytes, sizes] of [
      ['A', [1]],
      ['AB', [1000]],
      ['\x1fA', [1]],
      ['\x1f', [1]],
    ] as const) {
      const error = thrown(() => gunzip(Buffer.concat([gzipSync('x'), Buffer.from(bytes)]), sizes));
      expect(codeOf(error)).toBe('data-loss');
    }
  });

  here('reads headers with a name, a comment, more fields and a checksum', () => {
    const plain = gzipSync('hello');
    const header = Buffer.from([0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7]);
    const data = Buffer.concat([header, Buffer.from('name\0comment\0'), plain.subarray(10)]);
    expect(gunzipSync(data).toString()).toBe('hello');
    for (const size of [1, 3, data.length]) expect(gunzip(data, [size]).toString()).toBe('hello');
  });

  here('takes big archives', () => {
    const plain = Buffer.concat([
      randomBytes(3 << 20),
      Buffer.alloc(20 << 20, 'a line of text\n'),
      randomBytes(1 << 20),
    ]);
    expect(gunzip(gzipSync(plain), [65_536]).equals(plain)).toBe(true);
  });

  here('refuses what is cut off anywhere', () => {
    const data = gzipSync(randomBytes(2000));
    for (let length = 0; length < data.length; length++)
      expect(codeOf(thrown(() => gunzip(data.subarray(0, length), [100])))).toBe('data-loss');
  });

  here('finds any change of a byte, but for bits that stand for nothing', () => {
    const part = randomBytes(500);
    const plain = Buffer.concat([part, part, part]);
    const data = gzipSync(plain);
    for (let at = 0; at < data.length; at++) {
      const bad = Buffer.from(data);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      let found: Buffer | undefined;
      const error = thrownBy(() => (found = gunzip(bad, [64])));
      expect(codeOf(error) === 'data-loss' || found?.equals(plain)).toBe(true);
    }
  });

  here('survives anything that begins like gzip', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), anySizes, (bytes, sizes) => {
        const data = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), bytes]);
        expect([undefined, 'data-loss']).toContain(codeOf(thrownBy(() => gunzip(data, sizes))));
      }),
      { numRuns: 2000 },
    );
  });

  here('hands on what its reader throws', () => {
    const isal = IsalGunzip.open(() => {
      throw new RangeError('full');
    });
    expect(() => isal?.push(gzipSync('x'))).toThrow('full');
  });
});

/** Undefined if nothing is thrown. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}
