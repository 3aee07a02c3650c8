import { describe, expect, it } from '@jest/globals';

import { checkBigDocument } from './big-document.js';
import { parseObject } from './json.js';

const SIZE = 300 << 10;
const many = (value: string): string =>
  Array(SIZE / (value.length + 1))
    .fill(value)
    .join(',');
const refusal = async (text: string): Promise<string> =>
  checkBigDocument(text, 'x').then(
    () => 'none',
    (error: unknown) => (error as Error).message,
  );

describe('checkBigDocument', () => {
  it.each([
    ['keys', `{${Array.from({ length: 30_000 }, (_, i) => `"key-${i}":1`).join(',')}}`],
    ['numbers', `{"a":[${many('1')}]}`],
    ['objects', `{"a":[${many('{}')}]}`],
    ['lists in lists', `{"a":${'['.repeat(SIZE)}`],
    ['values after a string with escapes', `{"a\\\\":"\\"","b":[${many('0')}]}`],
  ])('refuses many %s', async (_, text) => {
    expect(await refusal(text)).toBe(`x has ${text.length} bytes with more than 10000 values`);
  });

  it.each(['{"a":[1,', '\\"', '"\\\\"', '\\', '"'])('does not count what a long string holds: %j', async (part) => {
    const held = part.repeat(SIZE);
    const text = JSON.stringify({ [held.slice(0, 7)]: held });
    expect(await refusal(text)).toBe('none');
    expect(parseObject(text, 'x')).toEqual({ [held.slice(0, 7)]: held });
  });

  it('takes a manifest of 500 layers with annotations', async () => {
    const annotations = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`a${i}`, 'v'.repeat(50)]));
    const layers = Array.from({ length: 500 }, () => ({ mediaType: 't', digest: 'd', size: 1, annotations }));
    expect(await refusal(JSON.stringify({ layers }))).toBe('none');
  });

  it('lets what is small pass', async () => {
    expect(await refusal(`[${Array(100_000).fill(1).join(',')}]`)).toBe('none');
  });
});
