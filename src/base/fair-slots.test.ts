import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';

import { codeOf } from './errors.js';
import { FairSlots, type Slot } from './fair-slots.js';
import { rejection } from './testing.js';

/** Longer than any test. */
const NEVER = 2 ** 30;

interface Asked {
  readonly owner: string;
  slot?: Slot | undefined;
  answered: boolean;
}

/** Owners that ask and give back, and what they have been given. */
class Table {
  readonly slots: FairSlots;
  readonly asked: Asked[] = [];
  readonly order: string[] = [];

  constructor(limit: number, { most = limit, workMs = NEVER } = {}) {
    this.slots = new FairSlots({ limit, most, workMs });
  }

  async ask(owner: string, work?: string): Promise<Asked> {
    const asked: Asked = { owner, answered: false };
    this.asked.push(asked);
    void this.slots.take(owner, work === undefined ? {} : { work }).then((slot) => {
      Object.assign(asked, { slot, answered: true });
      if (slot !== undefined) this.order.push(owner);
    });
    await settled();
    return asked;
  }

  get held(): Asked[] {
    return this.asked.filter(({ slot }) => slot !== undefined);
  }

  async giveBack(asked: Asked): Promise<void> {
    asked.slot?.release();
    asked.slot = undefined;
    await settled();
  }

  async end(): Promise<void> {
    while (this.held.length > 0) for (const each of this.held) await this.giveBack(each);
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('FairSlots', () => {
  it('serves owners in turn, however much one asks for', async () => {
    const table = new Table(2);
    for (let i = 0; i < 5; i++) await table.ask('greedy');
    for (const owner of ['one', 'two']) await table.ask(owner);
    await table.end();
    expect(table.order.slice(0, 4)).toEqual(['greedy', 'one', 'greedy', 'two']);
    expect(table.order).toHaveLength(7);
  });

  it('leaves a slot for others, of more than one', async () => {
    const table = new Table(3);
    for (let i = 0; i < 4; i++) await table.ask('greedy');
    expect(table.held).toHaveLength(2);
    expect((await table.ask('other')).slot).toBeDefined();
    await table.end();
    const single = new Table(1);
    expect((await single.ask('one')).slot).toBeDefined();
    await single.end();
  });

  describe('that know the time', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it('do not count what has waited long, up to the most of all', async () => {
      const table = new Table(1, { most: 3, workMs: 1000 });
      for (const owner of ['a', 'b', 'c', 'd']) await table.ask(owner);
      for (const held of [1, 2, 3, 3]) {
        expect(table.held).toHaveLength(held);
        await jest.advanceTimersByTimeAsync(1000);
      }
      await table.giveBack(table.held[0] as Asked);
      expect(table.order).toEqual(['a', 'b', 'c', 'd']);
      await table.end();
    });

    it('count what says that it works, again too', async () => {
      const table = new Table(1, { most: 9, workMs: 1000 });
      const one = await table.ask('one');
      const other = await table.ask('other');
      for (let i = 0; i < 3; i++) {
        await jest.advanceTimersByTimeAsync(900);
        one.slot?.worked();
      }
      expect(other.answered).toBe(false);
      await jest.advanceTimersByTimeAsync(1000);
      expect(other.answered).toBe(true);
      one.slot?.worked();
      const third = await table.ask('third');
      await table.giveBack(other);
      expect(third.answered).toBe(false);
      await table.giveBack(one);
      expect(third.answered).toBe(true);
      await table.end();
    });
  });

  it('gives the same work to one owner, and tells the others', async () => {
    const table = new Table(1);
    const busy = await table.ask('busy');
    const [one, other] = [await table.ask('one', 'layer'), await table.ask('other', 'layer')];
    await table.giveBack(busy);
    expect(one.slot).toBeDefined();
    expect(other).toMatchObject({ answered: true });
    expect(other.slot).toBeUndefined();
    await table.end();
  });

  it('lets go of who leaves, and of operations that fail', async () => {
    const table = new Table(1);
    const busy = await table.ask('busy');
    const controller = new AbortController();
    const left = rejection(table.slots.take('gone', { signal: controller.signal }));
    const next = await table.ask('next');
    controller.abort();
    expect(codeOf(await left)).toBe('cancelled');
    expect(codeOf(await rejection(table.slots.take('gone', { signal: controller.signal })))).toBe('cancelled');
    await table.giveBack(busy);
    expect(next.slot).toBeDefined();
    await table.giveBack(next);
    await expect(table.slots.run('x', () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await table.slots.run('x', () => Promise.resolve('free'))).toBe('free');
  });

  it('holds its bounds and forgets nobody, whatever is asked and given back', async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean(), fc.nat(9)), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (limit, all) => {
        const table = new Table(limit);
        for (const [owner, asks, which] of all) {
          const held = table.held[which];
          if (asks) await table.ask(owner);
          else if (held !== undefined) await table.giveBack(held);
          expect(table.held.length).toBeLessThanOrEqual(limit);
          const waiting = table.asked.filter(({ answered }) => !answered);
          for (const each of waiting) {
            const own = table.held.filter((other) => other.owner === each.owner).length;
            // Nobody waits while there is a slot that is not kept for others.
            if (table.held.length < limit) expect(own).toBe(Math.max(1, limit - 1));
            expect(own).toBeLessThanOrEqual(Math.max(1, limit - 1));
          }
        }
        await table.end();
        expect(table.asked.every(({ answered }) => answered)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('lets nobody wait for more than one turn of each other owner', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 5 }), async (wishes) => {
        const table = new Table(2);
        const before: number[] = [];
        for (const [owner, count] of wishes.entries()) {
          before.push(table.order.length);
          for (let i = 0; i < count; i++) await table.ask(`owner ${owner}`);
        }
        await table.end();
        const waited = wishes.map((_, owner) => table.order.indexOf(`owner ${owner}`) - (before[owner] ?? 0));
        expect(Math.max(...waited)).toBeLessThan(wishes.length);
      }),
      { numRuns: 40 },
    );
  });
});
