import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';

import { describe, expect, it } from '@jest/globals';

import { codeOf, dataLoss } from '../../base/errors.js';
import { Decompressor } from './decompress.js';

/** Pushes data in pieces and returns what comes out. */
async function through(data: Buffer, step = data.length || 1): Promise<Buffer> {
  const out: Buffer[] = [];
  const decompressor = new Decompressor((plain) => out.push(Buffer.from(plain)));
  try {
    for (let at = 0; at < data.length; at += step) await decompressor.push(data.subarray(at, at + step));
    await decompressor.end();
  } finally {
    decompressor.close();
  }
  return Buffer.concat(out);
}

const plain = Buffer.concat([Buffer.alloc(300_000, 'abc'), randomBytes(100_000)]);

describe('Decompressor', () => {
  it('hands on what is not compressed', async () => {
    expect((await through(plain, 1000)).equals(plain)).toBe(true);
    expect(await through(Buffer.from('ab'), 1)).toEqual(Buffer.from('ab'));
    expect(await through(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  it.each([1, 3, 100, 70_000])('unpacks gzip that comes in pieces of %i bytes', async (step) => {
    const short = plain.subarray(299_000, 303_000);
    const expected = step > 50 ? plain : short;
    expect((await through(zlib.gzipSync(expected), step)).equals(expected)).toBe(true);
  });

  it('unpacks gzip of several members, and stops at rubbish behind it', async () => {
    const [a, b] = [zlib.gzipSync('one'), zlib.gzipSync('two')];
    expect((await through(Buffer.concat([a, b]))).toString()).toBe('onetwo');
    expect((await through(Buffer.concat([a, Buffer.alloc(5000)]), 100)).toString()).toBe('one');
  });

  it.each([
    ['cut off', zlib.gzipSync(plain).subarray(0, 50_000)],
    ['cut off in the header', zlib.gzipSync(plain).subarray(0, 6)],
    ['cut off in the trailer', zlib.gzipSync(plain).subarray(0, -4)],
    ['damaged', Buffer.concat([zlib.gzipSync(plain).subarray(0, 2000), Buffer.alloc(100_000, 0xff)])],
  ])('refuses gzip that is %s, however it comes', async (_how, data) => {
    for (const step of [977, data.length]) expect(await through(data, step).catch(codeOf)).toBe('data-loss');
  });

  it('passes on what the taker throws', async () => {
    const decompressor = new Decompressor(() => {
      throw dataLoss('enough');
    });
    await expect(decompressor.push(zlib.gzipSync(plain))).rejects.toThrow('enough');
    decompressor.close();
  });

  it.each([977, 5_000, 200_000])('unpacks zstd that comes in pieces of %i bytes', async (step) => {
    const packed = execFileSync('zstd', ['-cq'], { input: plain });
    expect((await through(packed, step)).equals(plain)).toBe(true);
    expect(await through(packed.subarray(0, -50), step).catch(codeOf)).toBe('data-loss');
  });

  it('unpacks zstd of several frames, skipped ones among them', async () => {
    const frame = (text: string): Buffer => execFileSync('zstd', ['-cq'], { input: text });
    const skipped = Buffer.from('502a4d180400000061626364', 'hex');
    const packed = Buffer.concat([skipped, frame('one'), skipped, frame('two'), frame('three'), skipped]);
    for (const step of [1, 7, packed.length]) expect((await through(packed, step)).toString()).toBe('onetwothree');
  });

  it('holds no more than it hands on, however much a few bytes unpack to', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(64 << 20));
    let longest = 0;
    const decompressor = new Decompressor((chunk) => (longest = Math.max(longest, chunk.length)));
    await decompressor.push(bomb);
    await decompressor.end();
    decompressor.close();
    expect(longest).toBe(128 << 10);
  });
});
