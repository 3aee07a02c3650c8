import { mkdir, readFile, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

import { RESULTS, specsOf, type Spec } from '../../scripts/test-reports.js';
import { run } from '../../src/base/spawn.js';
import { TOOLS } from './crictl.js';
import { NO_NRI, READ_ONLY_ANYWAY, unfitForHost, unfitForRuntime, type Unfit } from './critest-unfit.js';
import type { Settings } from './daemon.js';
import type { House } from './house.js';
import { patience, SETTINGS } from './settings.js';

/** The releases of critest that are run, with the number of their specs, without benchmarks. */
const ALL = { '1.37': 137, '1.36': 117 } as const;
export type CritestRelease = keyof typeof ALL;

/** Never run: its content is the original's alone, an image made here has another digest. */
export const DIGEST_SPEC = 'public image with digest should be pulled and removed';

/** Beside these no others may run: they remove images (critest has them as serial). */
export const SERIAL = 'Image Manager|Image Consistency|Image Identifier Consistency';

/** These have ports on the host that critest names, so that two of one kind cannot run at once. */
export const HOST_PORTS = 'port mapping with host port|runtime should support portforward';

/** What makes critest stream by WebSocket; by SPDY is its default. */
export const WEBSOCKET = ['--websocket-exec', '--websocket-attach', '--websocket-portforward'] as const;

/** How long all specs may take. */
export const CRITEST_MS = patience(900_000);

export interface CritestRun {
  /** Of the report, which stays, so that the summary counts the specs. */
  readonly name: string;
  /** 1.37 unless told. */
  readonly release?: CritestRelease;
  /** Regular expressions: what the names of its specs have, and what the names of those left out have. */
  readonly focus?: string;
  readonly skip?: string;
  readonly args?: readonly string[];
  /** Of the order of the specs. */
  readonly seed?: number;
}

/** Runs specs of critest against the house's daemon. Returns those that were selected, however they ended. */
export async function critest(house: House, asked: CritestRun): Promise<readonly Spec[]> {
  await mkdir(RESULTS, { recursive: true });
  const report = join(RESULTS, `critest-${asked.name}.json`);
  await rm(report, { force: true });
  const endpoint = `unix://${house.scratch.socket}`;
  const options = {
    'runtime-endpoint': endpoint,
    'image-endpoint': endpoint,
    'ginkgo.skip': [DIGEST_SPEC, ...(asked.skip === undefined ? [] : [asked.skip])].join('|'),
    'ginkgo.json-report': report,
    ...(asked.focus === undefined ? {} : { 'ginkgo.focus': asked.focus }),
    ...(asked.seed === undefined ? {} : { 'ginkgo.seed': asked.seed }),
  };
  const args = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
  const { stdout } = await run(
    join(TOOLS, asked.release === '1.36' ? 'critest-1.36' : 'critest'),
    [...args, ...(asked.args ?? [])],
    {
      timeoutMs: CRITEST_MS,
      cwd: house.scratch.dir,
    },
  );
  const text = await readFile(report, 'utf8').catch(() => `"no report: ${stdout.toString().slice(-500)}"`);
  return specsOf(JSON.parse(text));
}

/** The runtime that whole runs are made with: today's runc, which the distribution's is not; else the one in PATH. */
function newestPath(): string {
  return SETTINGS.runtime === 'runc' ? join(TOOLS, 'runc') : SETTINGS.runtime;
}

/** Settings that make it the default handler's program. */
export function newestRuntime(): Settings {
  const path = newestPath();
  return { runtime: { handlers: { [SETTINGS.runtime]: isAbsolute(path) ? { path } : {} } } };
}

/** What all specs together come to; a spec that was not run at all is missed in the count. */
export interface Outcome {
  readonly passed: number;
  /** Those that skipped themselves, with the reason that they gave. */
  readonly skipped: Readonly<Record<string, string>>;
  /** Names with what was said. */
  readonly failed: readonly Spec[];
}

export function outcomeOf(specs: readonly Spec[]): Outcome {
  const skipped = specs.filter(({ outcome }) => outcome === 'skipped');
  return {
    passed: specs.filter(({ outcome }) => outcome === 'passed').length,
    skipped: Object.fromEntries(skipped.map(({ name, message }) => [name, message])),
    failed: specs.filter(({ outcome }) => outcome === 'failed'),
  };
}

/** What all specs come to where everything works, but for what host and runtime are not fit for, spec by spec. */
export function wholeOutcome(unfit: readonly Unfit[], release: CritestRelease = '1.37'): Outcome {
  const skipped = [...unfitForHost(), ...(release === '1.37' ? [NO_NRI, READ_ONLY_ANYWAY] : []), ...unfit].flatMap(
    ({ says, specs }) => specs.map((name) => [name, says] as const),
  );
  return { passed: ALL[release] - 1 - skipped.length, skipped: Object.fromEntries(skipped), failed: [] };
}

/** The same with the newest runtime. */
export async function newestOutcome(release?: CritestRelease): Promise<Outcome> {
  return wholeOutcome(await unfitForRuntime(newestPath()), release);
}
