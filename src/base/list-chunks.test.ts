import { describe, expect, it } from '@jest/globals';
import { array, asyncProperty, assert, integer, uint8Array } from 'fast-check';

import { inBatches, inChunks } from './list-chunks.js';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

describe('inChunks', () => {
  it('loses nothing, keeps the order, and exceeds the limit for a single large part alone', async () => {
    const cases = asyncProperty(
      array(uint8Array({ maxLength: 9 })),
      integer({ min: 1, max: 12 }),
      async (parts, max) => {
        const chunks = await all(inChunks(parts, max));
        expect(Buffer.concat(chunks)).toEqual(Buffer.concat(parts));
        for (const chunk of chunks) {
          const large = parts.some((part) => part.length > max && chunk.equals(part));
          expect(large || chunk.length <= max).toBe(true);
        }
      },
    );
    await assert(cases);
  });

  it('fills chunks', async () => {
    const chunks = await all(
      inChunks(
        ['ab', 'c', 'defg', 'h'].map((text) => Buffer.from(text)),
        4,
      ),
    );
    expect(chunks.map(String)).toEqual(['abc', 'defg', 'h']);
  });

  it('asks for parts only as chunks are read', async () => {
    let made = 0;
    const parts = function* (): Generator<Buffer> {
      for (;;) {
        made++;
        yield Buffer.from('x');
      }
    };
    const chunks = inChunks(parts(), 3);
    await chunks.next();
    expect(made).toBe(4);
    await chunks.next();
    expect(made).toBe(7);
  });
});

describe('inBatches', () => {
  it('works on a part at a time, in order, and not before it is read', async () => {
    const items = Array.from({ length: 70 }, (_, index) => index);
    const sizes: number[] = [];
    const results = inBatches(items, (batch) => {
      sizes.push(batch.length);
      return Promise.resolve(batch.map((item) => -item));
    });
    expect((await results.next()).value).toBe(-0);
    expect(sizes).toEqual([32]);
    expect(await all(results)).toEqual(items.slice(1).map((item) => -item));
    expect(sizes).toEqual([32, 32, 6]);
  });
});
