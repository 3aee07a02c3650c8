import { PassThrough } from 'node:stream';
import type { WriteStream } from 'node:tty';

import { describe, expect, it } from '@jest/globals';

import type { LayerProgress } from '../image-service/progress.js';
import { ProgressBars } from './progress-bars.js';

/** A terminal of a few rows, and what is written to it. */
function terminal(rows: number): { readonly stream: WriteStream; readonly text: () => string } {
  const pipe = new PassThrough();
  const stream = Object.assign(pipe, { isTTY: true, rows, columns: 80 });
  return { stream: stream as unknown as WriteStream, text: () => (pipe.read() as Buffer | null)?.toString() ?? '' };
}

const layers = (count: number, finished: number): LayerProgress[] =>
  Array.from({ length: count }, (_, index) => ({
    digest: `sha256:${String(index).padStart(12, '0')}`,
    size: 2000,
    done: index < finished ? 2000 : 500,
    state: index < finished ? 'done' : 'fetching',
  }));

/** How far up the cursor was moved at most. */
const highest = (text: string): number =>
  // eslint-disable-next-line no-control-regex -- the control sequence is what is looked for
  Math.max(0, ...[...text.matchAll(/\x1b\[(\d+)A/g)].map(([, lines]) => Number(lines)));

describe('progress bars', () => {
  it('are one for each layer where they fit', () => {
    const { stream, text } = terminal(10);
    const bars = new ProgressBars(stream);
    bars.update(layers(8, 3));
    bars.end(false);
    const shown = text();
    for (const { digest, state } of layers(8, 3))
      expect(shown).toMatch(new RegExp(`${digest.slice(7)} \\[.*${state === 'done' ? 100 : 25}%`));
    expect(shown).not.toContain('done');
  });

  it('never move above the first row; finished layers make room, each with its line', () => {
    const { stream, text } = terminal(10);
    const bars = new ProgressBars(stream);
    for (let finished = 0; finished < 30; finished += 4) bars.update(layers(30, finished));
    bars.update([]);
    bars.end(true);
    const shown = text();
    expect(highest(shown)).toBe(7);
    const lines = layers(30, 30).filter(({ digest }) => shown.includes(`${digest.slice(7)}: done, 2.0 kB`));
    const whole = layers(30, 30).filter(({ digest }) => new RegExp(`${digest.slice(7)} \\[.*100%`).test(shown));
    expect([lines.length, new Set([...lines, ...whole].map(({ digest }) => digest)).size]).toEqual([22, 30]);
  });

  it('of an image that is told of no more are full', () => {
    const { stream, text } = terminal(10);
    const bars = new ProgressBars(stream);
    bars.update(layers(1, 0));
    bars.update([{ digest: 'sha256:second', size: 10, done: 5, state: 'fetching' }]);
    bars.end(false);
    expect(text()).toMatch(/000000000000 \[.*100%.*\n.*second \[.*50%/);
  });

  it('leave nothing where there was no layer', () => {
    const { stream, text } = terminal(10);
    new ProgressBars(stream).end(true);
    expect(text()).toBe('');
  });
});
