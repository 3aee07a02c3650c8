import { describe, expect, it } from '@jest/globals';

import { SharedGate } from './shared-gate.js';

describe('SharedGate', () => {
  it('lets many in together and one alone, in the order of asking', async () => {
    const gate = new SharedGate();
    const log: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      log.push(`+${name}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      log.push(`-${name}`);
    };
    const first = [gate.shared(work('a')), gate.shared(work('b'))];
    await Promise.resolve();
    const alone = [gate.exclusive(work('gc1')), gate.exclusive(work('gc2'))];
    const late = gate.shared(work('c'));
    await Promise.all([...first, ...alone, late]);
    expect(log).toEqual(['+a', '+b', '-a', '-b', '+gc1', '-gc1', '+gc2', '-gc2', '+c', '-c']);
  });

  it('opens again after failures of either kind', async () => {
    const gate = new SharedGate();
    const fail = (): Promise<never> => Promise.reject(new RangeError('no'));
    await expect(gate.shared(fail)).rejects.toThrow('no');
    await expect(gate.exclusive(fail)).rejects.toThrow('no');
    expect(await gate.shared(() => Promise.resolve(7))).toBe(7);
    expect(await gate.exclusive(() => Promise.resolve(8))).toBe(8);
  });
});
