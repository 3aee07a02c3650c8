import { randomBytes } from 'node:crypto';

import { expect, it } from '@jest/globals';

import { BoundedBuffer } from './bounded-buffer.js';
import { collectGarbage } from './collect-garbage.js';

it.each([
  [['abc', 'de'], 10, 'abcde', false],
  [['abc', 'de'], 5, 'abcde', false],
  [['abc', 'de'], 4, 'abcd', true],
  [['abc', 'de', 'f'], 3, 'abc', true],
  [['abc'], 0, '', true],
  [[], 0, '', false],
  [['', ''], 0, '', false],
])('%p within %d bytes is %p', (chunks, limit, kept, truncated) => {
  const buffer = new BoundedBuffer(limit);
  for (const chunk of chunks) buffer.push(Buffer.from(chunk));
  expect(buffer.bytes().toString()).toBe(kept);
  expect(buffer.truncated).toBe(truncated);
});

it('holds any bytes that come in pieces of any size', () => {
  const all = randomBytes(2_000_000);
  for (const size of [1_000, 65_536, 700_001]) {
    const buffer = new BoundedBuffer(1_500_000);
    for (let at = 0; at < all.length; at += size) buffer.push(all.subarray(at, at + size));
    expect(buffer.bytes().equals(all.subarray(0, 1_500_000))).toBe(true);
    expect(buffer.length).toBe(1_500_000);
    for (const length of [1_499_999, 700_000, 1_025, 1_024, 1, 0]) {
      buffer.trim(length);
      expect(buffer.bytes().equals(all.subarray(0, length))).toBe(true);
    }
  }
});

it('takes no more memory for single bytes', () => {
  const before = process.memoryUsage().heapUsed;
  const buffer = new BoundedBuffer(1_000_000);
  for (let n = 0; n < 1_000_000; n++) buffer.push(Buffer.from([n % 251]));
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
  expect(buffer.length).toBe(1_000_000);
});

it('keeps nothing after what was dropped', () => {
  const buffer = new BoundedBuffer(10);
  buffer.push(Buffer.from('abcdef'), 4);
  buffer.push(Buffer.from('g'));
  expect(buffer.bytes().toString()).toBe('abcd');
  buffer.trim(2);
  buffer.push(Buffer.from('h'));
  expect(buffer.bytes().toString()).toBe('ab');
});
