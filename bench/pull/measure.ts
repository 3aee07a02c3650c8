import { join } from 'node:path';

import Long from 'long';

import { TOOLS } from '../../e2e/harness/crictl.js';
import { callCri } from '../../e2e/harness/cri.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from '../../e2e/harness/pods.js';
import type { House } from '../../e2e/harness/house.js';
import type { Registry } from '../../e2e/harness/registry.js';
import { waitFor } from '../../e2e/harness/wait.js';
import { internal } from '../../src/base/errors.js';
import { runOk } from '../../src/base/spawn.js';
import { openEngine, type Bench, type Engine, type EngineName } from './engine.js';
import type { Shape } from './images.js';
import { cpuSecondsOf, memoryOf, peakMemory } from './memory.js';
import { median } from './median.js';

const IDLE_EXECS = 30;
const PULL_SECONDS = 900;

/** One pull on a fresh server. */
export interface Sample {
  readonly seconds: number;
  /** Processor time of the server and its children: what a loaded machine changes least. */
  readonly cpuSeconds: number;
  /** Over what the server took before, in bytes. */
  readonly memory: number;
  /** Of gantryd: the longest and the 99th percentile. */
  readonly loopDelay?: LoopDelay | undefined;
}

interface LoopDelay {
  readonly maxMs: number;
  readonly p99Ms: number;
}

export async function measurePull(name: EngineName, shape: Shape, bench: Bench): Promise<Sample> {
  const engine = await openEngine(name, bench);
  try {
    const [idle, cpu] = [memoryOf(engine.pid), cpuSecondsOf(engine.pid)];
    if (name === 'gantry') process.kill(engine.pid, 'SIGUSR2');
    const started = performance.now();
    const peak = await peakMemory(engine.pid, () => pull(engine, shape));
    const seconds = (performance.now() - started) / 1000;
    const cpuSeconds = cpuSecondsOf(engine.pid) - cpu;
    return { seconds, cpuSeconds, memory: peak - idle, loopDelay: await loopDelayOf(engine) };
  } finally {
    await engine.close();
  }
}

/** With more time than the tests' client has. */
async function pull({ scratch }: Engine, { reference }: Shape): Promise<void> {
  const args = ['--config', join(scratch.dir, 'crictl.yaml'), '--timeout', `${PULL_SECONDS}s`, 'pull', reference];
  await runOk(join(TOOLS, 'crictl'), args, { timeoutMs: PULL_SECONDS * 1000 });
}

/** What gantryd logs for the second signal: the first one began the count. */
async function loopDelayOf({ daemon }: Engine): Promise<LoopDelay | undefined> {
  if (daemon === undefined) return undefined;
  process.kill(daemon.pid, 'SIGUSR2');
  return waitFor('event loop delay in the log', 5_000, async () => {
    const lines = (await daemon.log()).split('\n').filter((line) => line.includes('"event loop delay"'));
    return lines.length < 2 ? undefined : (JSON.parse(lines.at(-1) ?? '') as LoopDelay);
  });
}

/** How long ExecSync takes while nothing else happens, and while an image is pulled: medians in milliseconds. */
export interface ExecSample {
  readonly idleMs: number;
  readonly pullMs: number;
}

export async function measureExec(shape: Shape, bench: Bench): Promise<ExecSample> {
  const engine = await openEngine('gantry', bench);
  try {
    const house = houseOf(engine, bench.registry);
    const exec = await startContainer(house);
    const idle: number[] = [];
    for (let count = 0; count < IDLE_EXECS; count++) idle.push(await exec());
    const state: { pulling: boolean } = { pulling: true };
    const pulled = pull(engine, shape).finally(() => (state.pulling = false));
    const busy: number[] = [];
    while (state.pulling) busy.push(await exec());
    await pulled;
    await house.crictl.ok('rmp', '-a', '-f');
    return { idleMs: median(idle), pullMs: median(busy) };
  } finally {
    await engine.close();
  }
}

function houseOf({ scratch, crictl, daemon, close }: Engine, registry: Registry): House {
  if (daemon === undefined) throw internal('only gantryd is measured by ExecSync');
  return { scratch, registry, crictl, daemon, close, assertEmpty: () => Promise.resolve() };
}

/** Runs a container, and returns what measures one ExecSync in it. */
async function startContainer(house: House): Promise<() => Promise<number>> {
  await house.crictl.ok('pull', BUSYBOX);
  const pod = await writePod(house);
  const podId = await runPod(house, pod);
  const containerId = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  return async () => {
    const started = performance.now();
    const { exitCode } = await callCri(house, 'ExecSync', { containerId, cmd: ['true'], timeout: Long.fromNumber(60) });
    if (exitCode !== 0) throw internal(`true ended with exit code ${exitCode}`);
    return performance.now() - started;
  };
}
