import { describe, expect, it } from '@jest/globals';

import { Progress, watchProgress } from './progress.js';

async function* chunks(...sizes: number[]): AsyncIterable<Uint8Array> {
  for (const size of sizes) yield await Promise.resolve(new Uint8Array(size));
}
async function drain(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of source) expect(chunk).toBeDefined();
}
const row = (digest: string, isThere = false): { digest: string; size: number; isThere: () => boolean } => ({
  digest,
  size: 10,
  isThere: () => isThere,
});

describe('Progress', () => {
  it('tells of each layer how far it is', async () => {
    const progress = new Progress();
    progress.begin('a', [row('one', true), row('two'), row('three')]);
    await drain(progress.counted('two', chunks(3, 4)));
    expect(progress.of(['a', 'unknown'])).toEqual([
      { digest: 'one', size: 10, done: 10, state: 'done' },
      { digest: 'two', size: 10, done: 7, state: 'fetching' },
      { digest: 'three', size: 10, done: 0, state: 'waiting' },
    ]);
  });

  it('tells of a layer that two images have once, and as long as one of them is fetched', async () => {
    const progress = new Progress();
    progress.begin('a', [row('shared')]);
    progress.begin('b', [row('shared'), row('own')]);
    await drain(progress.counted('shared', chunks(3)));
    expect(progress.of(['a', 'b']).map(({ digest, done }) => [digest, done])).toEqual([
      ['shared', 3],
      ['own', 0],
    ]);
    progress.end('a');
    expect(progress.of(['a', 'b']).map(({ done }) => done)).toEqual([3, 0]);
    progress.end('b');
    progress.begin('c', [row('shared')]);
    expect(progress.of(['c']).map(({ state }) => state)).toEqual(['waiting']);
  });

  it('starts again with a second try', async () => {
    const progress = new Progress();
    progress.begin('a', [row('one')]);
    await drain(progress.counted('one', chunks(9)));
    await drain(progress.counted('one', chunks(2)));
    expect(progress.of(['a'])[0]?.done).toBe(2);
  });
});

describe('watchProgress', () => {
  it('tells what is under way, then the result', async () => {
    const progress = new Progress();
    progress.begin('a', [row('one')]);
    let finish: (value: object) => void = () => undefined;
    const stream = watchProgress(progress, (tell) => {
      tell('a');
      return new Promise((resolve) => (finish = resolve));
    });
    expect((await stream.next()).value).toEqual({ layers: [{ digest: 'one', size: 10, done: 0, state: 'waiting' }] });
    finish({ id: 'x' });
    const seen: unknown[] = [];
    for await (const message of stream) seen.push(message);
    expect(seen.at(-1)).toEqual({ result: { id: 'x' } });
  });

  it('fails as the work does', async () => {
    const stream = watchProgress(new Progress(), () => Promise.reject(new Error('no')));
    await expect(stream.next()).rejects.toThrow('no');
  });
});
