import { setTimeout as sleep } from 'node:timers/promises';

import { attacks, serveAttacks, type Attack } from '../../e2e/hostile/attacks.js';
import { callCri } from '../../e2e/harness/cri.js';
import { openHouse, type House } from '../../e2e/harness/house.js';
import { mirrorTree } from '../../e2e/harness/mirror-tree.js';
import { BUSYBOX, runPod, writePod } from '../../e2e/harness/pods.js';
import { median } from '../pull/median.js';
import { memoryOf, peakMemory } from '../pull/memory.js';

/**
 * What hostile images cost others: the time of a pod and of a pull from loopback, in milliseconds, without and with an attack that goes on all the
 * time, and the daemon's memory, in MB.
 *
 * `node build/bench/attacks/attacks.js [NAME...]` measures these attacks, or all.
 */

const HOST = 'attacks.test';
const RUNS = 7;
const MB = 1 << 20;
/** Threads that are idle end after ten seconds. */
const REST_MS = 25_000;

interface Times {
  readonly pod: number;
  readonly pull: number;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function measure(house: House): Promise<Times> {
  const [pods, pulls]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    const pod = await writePod(house);
    let id = '';
    pods.push(await timed(async () => (id = await runPod(house, pod))));
    pulls.push(await timed(() => callCri(house, 'PullImage', { image: { image: BUSYBOX } })));
    await house.crictl.ok('rmp', '-f', id);
    await house.crictl.ok('rmi', BUSYBOX);
  }
  return { pod: median(pods), pull: median(pulls) };
}

async function attack(house: House, { name }: Attack): Promise<void> {
  const image = { image: `${HOST}/${name}:1` };
  await callCri(house, 'PullImage', { image }).catch(() => undefined);
  await callCri(house, 'RemoveImage', { image });
}

async function main(names: readonly string[]): Promise<void> {
  const all = attacks().filter(({ name }) => names.length === 0 || names.includes(name));
  const house = await openHouse(() => Promise.resolve({ image: { stall_timeout: 20 } }));
  const { address, server } = await serveAttacks(all);
  try {
    await mirrorTree(house.scratch.hosts, address, [HOST]);
    await measure(house);
    await sleep(REST_MS);
    report('nothing', await measure(house), { idle: memoryOf(house.daemon.pid), peak: 0, rest: 0 });
    for (const each of all) await underAttack(house, each);
  } finally {
    server.closeAllConnections();
    server.close();
    await house.close();
  }
}

async function underAttack(house: House, each: Attack): Promise<void> {
  const { pid } = house.daemon;
  const idle = memoryOf(pid);
  let times: Times | undefined;
  let over = false;
  const peak = await peakMemory(pid, async () => {
    const attacking = (async () => {
      while (!over) await attack(house, each);
    })();
    times = await measure(house);
    over = true;
    await attacking;
  });
  await sleep(REST_MS);
  if (times !== undefined) report(each.name, times, { idle, peak, rest: memoryOf(pid) });
}

function report(name: string, { pod, pull }: Times, memory: Readonly<Record<'idle' | 'peak' | 'rest', number>>): void {
  const mb = Object.entries(memory).map(([key, bytes]) => `${key} ${Math.round(bytes / MB)} MB`);
  console.log(`${name.padEnd(16)} pod ${Math.round(pod)} ms  pull ${Math.round(pull)} ms  ${mb.join('  ')}`);
}

await main(process.argv.slice(2));
