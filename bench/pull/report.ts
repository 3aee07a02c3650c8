import type { ExecSample, Sample } from './measure.js';
import { median } from './median.js';

/** The samples of one image. */
export interface ShapeResult {
  readonly shape: string;
  readonly gantry: readonly Sample[];
  readonly containerd: readonly Sample[];
  readonly execs: readonly ExecSample[];
}

const MB = 1_000_000;

/** Medians of all runs, and for each measure the limit and whether it is kept. */
export function reportText(results: readonly ShapeResult[]): string {
  return results.map(shapeText).join('\n');
}

function shapeText({ shape, gantry, containerd, execs }: ShapeResult): string {
  const of = <T>(samples: readonly T[], read: (sample: T) => number): number => median(samples.map(read));
  const [own, other] = [gantry, containerd].map((samples) => of(samples, ({ seconds }) => seconds));
  const ratios = gantry.map(({ seconds }, index) => seconds / (containerd[index]?.seconds ?? NaN));
  const cpu = [gantry, containerd].map((samples) => of(samples, ({ cpuSeconds }) => cpuSeconds));
  const memory = of(gantry, (sample) => sample.memory) / MB;
  const loop = {
    max: of(gantry, ({ loopDelay }) => loopDelay?.maxMs ?? NaN),
    p99: of(gantry, ({ loopDelay }) => loopDelay?.p99Ms ?? NaN),
  };
  const execRatios = execs.map(({ idleMs, pullMs }) => pullMs / idleMs);
  return [
    `${shape} (medians of ${gantry.length} runs)`,
    `  wall time        gantry ${fixed(own)} s, containerd ${fixed(other)} s`,
    line('  ratio of a pair', median(ratios), { limit: 0.7, digits: 2 }),
    each(ratios),
    `  processor time   gantry ${fixed(cpu[0])} s, containerd ${fixed(cpu[1])} s`,
    line('  memory over idle', memory, { limit: 120, digits: 0, unit: ' MB' }) +
      `; containerd ${fixed(of(containerd, (sample) => sample.memory) / MB, 0)} MB`,
    line('  ExecSync ratio', median(execRatios), { limit: 2, digits: 2 }) +
      `; ${fixed(of(execs, ({ idleMs }) => idleMs))} ms idle, ${fixed(of(execs, ({ pullMs }) => pullMs))} ms during a pull`,
    each(execRatios),
    line('  event loop, max', loop.max, { limit: 20, digits: 1, unit: ' ms' }) + `; 99 % below ${fixed(loop.p99)} ms`,
  ].join('\n');
}

function line(
  name: string,
  value: number,
  options: { readonly limit: number; readonly digits: number; readonly unit?: string },
): string {
  const { limit, digits, unit = '' } = options;
  return `${name.padEnd(18)} ${fixed(value, digits)}${unit} (at most ${limit}${unit}: ${value <= limit ? 'kept' : 'MISSED'})`;
}

const each = (ratios: readonly number[]): string =>
  `                   each: ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`;

const fixed = (value: number | undefined, digits = 1): string => (value ?? NaN).toFixed(digits);
