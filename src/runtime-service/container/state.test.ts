import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { moveContainer } from './state.js';
import type { ContainerState, ContainerStatus } from './types.js';

const process = { pid: 7, startTime: '1' };
const processes = { init: process, monitor: process, cgroupDir: '/x' };
const EXAMPLES: Readonly<Record<ContainerState, ContainerStatus>> = {
  creating: { state: 'creating' },
  created: { state: 'created', processes },
  running: { state: 'running', processes, startedAt: '1' },
  unstartable: { state: 'unstartable', message: 'no such program' },
  exited: { state: 'exited', finishedAt: '2', exitCode: 0, reason: 'Completed', message: '' },
  removing: { state: 'removing' },
};
const STATES = Object.keys(EXAMPLES) as ContainerState[];
const LEGAL = new Set([
  'creating → created',
  'creating → unstartable',
  'creating → removing',
  'unstartable → unstartable',
  'unstartable → exited',
  'unstartable → removing',
  'created → created',
  'created → running',
  'created → exited',
  'running → running',
  'running → exited',
  'exited → removing',
  'removing → removing',
]);

describe('moveContainer', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))('%s → %s', (from, to) => {
    const move = () => moveContainer(EXAMPLES[from], EXAMPLES[to]);
    if (LEGAL.has(`${from} → ${to}`)) {
      expect(move()).toBe(EXAMPLES[to]);
      return;
    }
    expect(thrown(move)).toMatchObject({
      code: 'internal',
      message: `a container cannot go from ${from} to ${to}`,
    });
  });
});
