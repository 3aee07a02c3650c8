import { describe, expect, it } from '@jest/globals';

import { unavailable } from '../../base/errors.js';
import { batched } from './batched.js';

async function* source(
  sizes: readonly number[],
  state: { error?: Error; closed?: boolean },
): AsyncGenerator<Uint8Array> {
  try {
    let value = 0;
    for (const size of sizes) yield await Promise.resolve(new Uint8Array(size).fill(value++));
    if (state.error !== undefined) throw state.error;
  } finally {
    state.closed = true;
  }
}

describe('batched', () => {
  it.each([
    [[], []],
    [[0], []],
    [[3], [3]],
    [[4, 5], [9]],
    [[10], [10]],
    [
      [4, 4, 4, 4, 4],
      [12, 8],
    ],
    [
      [25, 1],
      [25, 1],
    ],
  ])('makes of chunks of %p those of %p', async (sizes, expected) => {
    const all: Uint8Array[] = [];
    for await (const chunk of batched(source(sizes, {}), 10)) all.push(chunk);
    expect(all.map(({ byteLength }) => byteLength)).toEqual(expected);
    const bytes = sizes.flatMap((size, index) => Array<number>(size).fill(index));
    expect([...Buffer.concat(all)]).toEqual(bytes);
  });

  it('gives what came before an error', async () => {
    const chunks = batched(source([4, 4], { error: unavailable('cut') }), 10);
    expect((await chunks.next()).value).toHaveLength(8);
    await expect(chunks.next()).rejects.toThrow('cut');
  });

  it('closes the source when nobody wants more', async () => {
    const state = { closed: false };
    for await (const chunk of batched(source([20, 20], state), 10)) {
      expect(chunk).toHaveLength(20);
      break;
    }
    expect(state.closed).toBe(true);
  });
});
