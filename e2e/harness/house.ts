import { describeError, internal } from '../../src/base/errors.js';
import { buildImages } from '../images/build-images.js';
import { pushAll } from '../images/push.js';
import { makeCrictl, type Crictl } from './crictl.js';
import { Daemon, type Settings } from './daemon.js';
import { assertNothingLeft, snapshot, type Snapshot } from './leaks/leaks.js';
import { sweep } from './leaks/sweep.js';
import { mirrorTree } from './mirror-tree.js';
import { startRegistry, type Registry } from './registry.js';
import { makeScratch, type Scratch } from './scratch.js';

/** All that a suite needs: a daemon that runs, a registry with the test images, a client. */
export interface House {
  readonly scratch: Scratch;
  readonly registry: Registry;
  readonly crictl: Crictl;
  readonly daemon: Daemon;
  /** Checks that no pod or container has left a trace, while the daemon runs. */
  assertEmpty(): Promise<void>;
  /** Stops everything, checks that nothing is left, and removes what the suite owned. */
  close(): Promise<void>;
}

/** Prepares the suite's directories, and returns settings of gantryd that come over the usual ones, section by section. */
export type Customize = (scratch: Scratch) => Promise<Settings>;

/** What the daemon is started by, see {@link Daemon}. */
export type Wrap = (scratch: Scratch) => readonly string[];

export async function openHouse(customize?: Customize, wrap?: Wrap): Promise<House> {
  const before = await snapshot();
  const scratch = await makeScratch();
  try {
    const settings = (await customize?.(scratch)) ?? {};
    return await furnish(scratch, { before, settings, wrapper: wrap?.(scratch) ?? [] });
  } catch (error) {
    await sweep(scratch);
    throw error;
  }
}

interface Options {
  readonly before: Snapshot;
  readonly settings: Settings;
  readonly wrapper: readonly string[];
}

async function furnish(scratch: Scratch, { before, ...options }: Options): Promise<House> {
  const [images, registry] = await Promise.all([buildImages(), startRegistry(`${scratch.dir}/registry`)]);
  await pushAll(registry.address, images);
  await mirrorTree(scratch.hosts, registry.address);
  const crictl = await makeCrictl(scratch);
  const daemon = new Daemon(scratch, crictl, options);
  await daemon.start();
  const assertEmpty = (): Promise<void> => assertNothingLeft(scratch, { before, expected: [daemon.pid, registry.pid] });
  const close = (): Promise<void> => shut({ scratch, registry, daemon, before });
  return { scratch, registry, crictl, daemon, assertEmpty, close };
}

interface Parts {
  readonly scratch: Scratch;
  readonly registry: Registry;
  readonly daemon: Daemon;
  readonly before: Snapshot;
}

async function shut({ scratch, registry, daemon, before }: Parts): Promise<void> {
  const problems: string[] = [];
  const code = daemon.running ? await daemon.stop() : 0;
  if (code !== 0) problems.push(`gantryd ended with exit code ${code}`);
  await registry.stop();
  await assertNothingLeft(scratch, { before }).catch((error: unknown) => problems.push(describeError(error)));
  await sweep(scratch);
  if (problems.length > 0) throw internal(problems.join('\n'));
}
