import { describe, expect, it } from '@jest/globals';

import { thrown } from '../base/testing.js';
import { moveSandbox } from './state.js';
import type { SandboxState, SandboxStatus } from './types.js';

const EXAMPLES: Readonly<Record<SandboxState, SandboxStatus>> = {
  creating: { state: 'creating' },
  ready: { state: 'ready', pause: { pid: 7, startTime: '1' }, ips: [] },
  'not-ready': { state: 'not-ready', released: false },
  removing: { state: 'removing' },
};
const STATES = Object.keys(EXAMPLES) as SandboxState[];
const LEGAL = new Set([
  'creating → ready',
  'creating → removing',
  'ready → ready',
  'ready → not-ready',
  'not-ready → not-ready',
  'not-ready → removing',
  'removing → removing',
]);

describe('moveSandbox', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const move = () => moveSandbox(EXAMPLES[from], EXAMPLES[to]);
    if (LEGAL.has(`${from} → ${to}`)) {
      expect(move()).toBe(EXAMPLES[to]);
      return;
    }
    expect(thrown(move)).toMatchObject({
      code: 'internal',
      message: `a sandbox cannot go from ${from} to ${to}`,
    });
  });
});
