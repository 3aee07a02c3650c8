import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { newId } from '../base/ids.js';
import { silentLogger } from '../base/log.js';
import { MINIMAL_ENV, runOk } from '../base/spawn.js';
import { createNetns, unmount } from '../base/sys/sys.js';
import type { JsonObject } from './json.js';
import { CniManager, type CniOptions } from './manager.js';
import type { PodNetworkRequest } from './pod-request.js';

/** One execution that a fixture plugin wrote down. */
export interface Call {
  readonly command: string;
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: JsonObject;
}

/** Directories of one test, and what it has to take down. */
export class Scratch {
  readonly root: string;
  readonly confDir: string;
  readonly binDir: string;
  readonly recordDir: string;
  readonly #cleanups: (() => unknown)[] = [];

  private constructor(root: string) {
    this.root = root;
    this.confDir = join(root, 'net.d');
    this.binDir = join(root, 'bin');
    this.recordDir = join(root, 'records');
  }

  static async make(): Promise<Scratch> {
    const scratch = new Scratch(await mkdtemp(join(tmpdir(), 'gantry-cni-')));
    await mkdir(scratch.confDir);
    await mkdir(scratch.binDir);
    return scratch;
  }

  async conf(file: string, content: object | string): Promise<void> {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await writeFile(join(this.confDir, file), text);
  }

  /** Installs a shell script as a plugin. It logs each execution, then runs `body` with the command in `$CNI_COMMAND`. */
  async plugin(name: string, body = ''): Promise<void> {
    // One write a call: plugins that run side by side share the file.
    const entry = `$(env | grep ^CNI_ | tr '\\n' '\\t'; echo "PLUGIN=${name}"; cat)`;
    const path = join(this.binDir, name);
    const draft = join(this.root, `draft-${newId()}`);
    await writeFile(
      draft,
      `#!/bin/sh\nentry="${entry}"\nprintf '%s\\n' "$entry" >> ${join(this.root, 'calls')}\n${body}\n`,
    );
    await chmod(draft, 0o755);
    // Never written in place: a plugin that is open for writing cannot be executed.
    await rename(draft, path);
  }

  /** A plugin whose ADD prints a result and that agrees to everything else. */
  async good(name: string, result: object = RESULT): Promise<void> {
    await this.plugin(name, `[ "$CNI_COMMAND" != ADD ] || printf '%s' '${JSON.stringify(result)}'`);
  }

  /** The executions of fixture plugins so far. */
  async calls(): Promise<Call[]> {
    const text = await readFile(join(this.root, 'calls'), 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    const calls: Call[] = [];
    for (let at = 0; at + 1 < lines.length; at += 2) calls.push(toCall(lines[at] ?? '', lines[at + 1] ?? ''));
    return calls;
  }

  /** `ADD one`, `ADD two` … */
  async sequence(): Promise<string[]> {
    const calls = await this.calls();
    return calls.map(({ command, plugin }) => `${command} ${plugin}`);
  }

  async manager(options: Partial<CniOptions> = {}): Promise<CniManager> {
    const { confDir, recordDir, binDir } = this;
    const logger = silentLogger();
    const own = { confDir, recordDir, binDirs: [binDir], timeoutMs: 10_000, logger };
    const manager = await CniManager.open({ ...own, ...options });
    this.defer(() => manager.close());
    return manager;
  }

  /** A network namespace of the test's own. */
  async netns(): Promise<string> {
    const path = join(this.root, `netns-${newId().slice(0, 12)}`);
    await writeFile(path, '');
    this.defer(() => unmount(path, { detach: true }));
    await createNetns(path);
    return path;
  }

  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    // A plugin that was asked for its STATUS in the background may note that here still.
    await rm(this.root, { recursive: true, maxRetries: 20, retryDelay: 20 });
  }
}

export const RESULT = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }],
  ips: [{ address: '192.0.2.7/24', interface: 0 }],
};

/** A pod's request with an id of its own. */
export function pod(more: Partial<PodNetworkRequest> = {}): PodNetworkRequest {
  const identity = { sandboxId: newId(), name: 'web-0', namespace: 'shop', uid: '6f1c' };
  return { ...identity, netnsPath: '/run/netns/none', portMappings: [], ...more };
}

/** Runs a command that must succeed and returns what it printed. */
export async function command(name: string, ...args: readonly string[]): Promise<string> {
  const result = await runOk(name, args, { timeoutMs: 20_000, env: MINIMAL_ENV });
  return result.stdout.toString();
}

/** Waits until `condition` holds, failing after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 500; left > 0; left--) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new RangeError('the condition did not come true within 10 s');
}

function toCall(head: string, config: string): Call {
  const pairs = head.split('\t').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  const env = Object.fromEntries(pairs) as Record<string, string>;
  const value = JSON.parse(config) as JsonObject;
  return { command: env['CNI_COMMAND'] ?? '', plugin: env['PLUGIN'] ?? '', env, config: value };
}
