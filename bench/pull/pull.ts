import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';

import { sweep } from '../../e2e/harness/leaks/sweep.js';
import { makeScratch } from '../../e2e/harness/scratch.js';
import { describeError } from '../../src/base/errors.js';
import { openRegistry, type Bench, type EngineName } from './engine.js';
import { SHAPES, type Shape } from './images.js';
import { measureExec, measurePull, type ExecSample, type Sample } from './measure.js';
import { reportText, type ShapeResult } from './report.js';

/** Pulls the same images with Gantry and with containerd in turn, each time on fresh directories; prints medians and ratios. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
  const scratch = await makeScratch();
  const bench: Bench = { registry: await openRegistry(scratch), used: [] };
  try {
    const results: ShapeResult[] = [];
    for (const shape of SHAPES) results.push(await measureShape(shape, bench, Number(values.runs)));
    process.stdout.write(`${reportText(results)}\n`);
  } finally {
    await bench.registry.stop();
    for (const used of [...bench.used, scratch]) await sweep(used);
  }
}

async function measureShape(shape: Shape, bench: Bench, runs: number): Promise<ShapeResult> {
  const samples: Record<EngineName, Sample[]> = { gantry: [], containerd: [] };
  for (let run = 0; run < runs; run++) {
    // Who comes first finds the machine otherwise than who comes second.
    const order: EngineName[] = run % 2 === 0 ? ['gantry', 'containerd'] : ['containerd', 'gantry'];
    for (const name of order) samples[name].push(await told(name, shape, bench));
  }
  const execs: ExecSample[] = [];
  for (let run = 0; run < runs; run++) execs.push(await measureExec(shape, bench));
  return { shape: shape.name, ...samples, execs };
}

async function told(name: EngineName, shape: Shape, bench: Bench): Promise<Sample> {
  const sample = await measurePull(name, shape, bench);
  const load = loadavg()[0]?.toFixed(1) ?? '';
  process.stderr.write(`${shape.name}, ${name}: ${sample.seconds.toFixed(1)} s, load ${load}\n`);
  return sample;
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${describeError(error)}\n`);
  process.exitCode = 1;
});
