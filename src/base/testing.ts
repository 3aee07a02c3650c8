import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect } from '@jest/globals';

import { newId } from './ids.js';
import { identify, type ProcessIdentity } from './sys/process.js';
import { mount, unmount } from './sys/sys.js';

/** A directory of each test's own, and what the test has to take down, last first. */
export class Scratch {
  #root = '';
  readonly #cleanups: (() => unknown)[] = [];

  get root(): string {
    return this.#root;
  }

  path(...names: readonly string[]): string {
    return join(this.#root, ...names);
  }

  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** An executable shell script. Renamed into place: a file that is open for writing cannot be executed. */
  async script(name: string, body: string): Promise<string> {
    const draft = this.path(`draft-${newId()}`);
    await writeFile(draft, `#!/bin/sh\n${body}\n`);
    await chmod(draft, 0o755);
    await rename(draft, this.path(name));
    return this.path(name);
  }

  /** A shell that runs until the test's end at the latest. */
  shell(script: string): ChildProcess & { readonly pid: number } {
    const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    this.defer(() => killGroup(child.pid));
    return child as ChildProcess & { readonly pid: number };
  }

  /** A part of this one, that is taken down with it. */
  below(name: string): Scratch {
    const part = new Scratch();
    part.#root = this.path(name);
    mkdirSync(part.#root);
    this.defer(() => part.drop());
    return part;
  }

  async make(prefix: string): Promise<void> {
    this.#root = await mkdtemp(join(tmpdir(), `gantry-${prefix}-`));
  }

  /** Takes everything down, past failures, which are told at the end. */
  async drop(): Promise<void> {
    const errors: unknown[] = [];
    const step = async (cleanup: () => unknown): Promise<void> => {
      await Promise.resolve()
        .then(cleanup)
        .catch((error: unknown) => errors.push(error));
    };
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop()) await step(cleanup);
    // A process that ends may write here still.
    await step(() => rm(this.#root, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 }));
    expect(errors).toEqual([]);
  }
}

/** Gives each test of the file or block a {@link Scratch} of its own. */
export function useScratch(prefix: string): Scratch {
  const scratch = new Scratch();
  beforeEach(() => scratch.make(prefix));
  afterEach(() => scratch.drop());
  return scratch;
}

/** Waits until `condition` holds, failing after ten seconds. */
export async function until(condition: () => unknown): Promise<void> {
  for (let left = 1_000; left > 0; left--) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new RangeError('the condition did not come true within 10 s');
}

/** The identity of a process that must be there. */
export function identityOf(pid: number | undefined): ProcessIdentity {
  const identity = identify(pid ?? 0);
  expect(identity).toBeDefined();
  return identity ?? { pid: 0, startTime: '' };
}

/** Linux tells the exit code of a process that somebody else waited for from 6.15 on. */
export function kernelTellsExitCodes(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 15);
}

/** The error that a promise must be rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const nothing = Symbol('nothing');
  const error: unknown = await promise.then(
    () => nothing,
    (thrown: unknown) => thrown,
  );
  expect(error).not.toBe(nothing);
  return error as Error & { readonly code?: string };
}

/** What a call must throw. */
export function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new RangeError('the call did not throw');
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** A file system that answers nothing: its server never reads a request. */
export async function hangingDirectory(scratch: Scratch): Promise<string> {
  const dir = scratch.path('hangs');
  await mkdir(dir);
  const fd = openSync('/dev/fuse', 'r+');
  scratch.defer(() => closeSync(fd));
  scratch.defer(() => unmount(dir, { detach: true }));
  await mount({ source: 'hangs', target: dir, type: 'fuse', data: `fd=${fd},rootmode=40000,user_id=0,group_id=0` });
  return dir;
}
