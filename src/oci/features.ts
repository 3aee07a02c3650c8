import { stat } from 'node:fs/promises';

import { describeError, unavailable } from '../base/errors.js';
import { run, tail } from '../base/spawn.js';

/** What an OCI runtime can do, by its own word (runtime-spec, features.md). */
export interface RuntimeFeatures {
  /** The mount option `rro`. */
  readonly recursiveReadOnly: boolean;
  /** Bind mounts with `uidMappings` and `gidMappings`, and containers in a user namespace. */
  readonly userNamespaces: boolean;
  /** Why nothing is known of it; absent where it answered. */
  readonly unknown?: string;
}

/** How long a runtime may take to answer; a client of Status waits for it. */
const TIMEOUT_MS = 5_000;
/** How long a runtime that did not answer at all is not asked again. */
const ASK_AGAIN_MS = 60_000;
const MAX_OUTPUT = 1 << 20;

interface Kept {
  /** Of the program's file: another file may be another version. */
  readonly identity: string;
  readonly features: Promise<RuntimeFeatures>;
  readonly until: number;
}

/** Asks a runtime's `features` command once for each file that its path leads to. */
export class FeatureReader {
  readonly #path: string;
  #kept: Kept | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Never fails: a runtime without the command, or without an answer, can do nothing special. */
  async read(): Promise<RuntimeFeatures> {
    const identity = await identityOf(this.#path);
    const now = performance.now();
    if (this.#kept?.identity === identity && now < this.#kept.until) return this.#kept.features;
    const kept = { identity, features: this.#ask(identity), until: Infinity };
    this.#kept = kept;
    return kept.features;
  }

  async #ask(identity: string): Promise<RuntimeFeatures> {
    try {
      return await askRuntime(this.#path);
    } catch (error) {
      const features = nothing(describeError(error));
      if (this.#kept?.identity === identity)
        this.#kept = {
          ...{ identity, features: Promise.resolve(features) },
          until: performance.now() + ASK_AGAIN_MS,
        };
      return features;
    }
  }
}

async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch {
    return '';
  }
}

/** @throws deadline-exceeded, unavailable for a runtime that does not answer this time. */
async function askRuntime(path: string): Promise<RuntimeFeatures> {
  const { exitCode, stdout, stderr } = await run(path, ['features'], { timeoutMs: TIMEOUT_MS, maxOutput: MAX_OUTPUT });
  if (exitCode > 128) throw unavailable(`${path} features ended with exit code ${exitCode}`);
  if (exitCode !== 0) return nothing(`it has no features command: ${tail(stderr.toString().trim(), 200)}`);
  return parseFeatures(stdout.toString());
}

/** Reads the answer; what is missing in it is not there. */
export function parseFeatures(text: string): RuntimeFeatures {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return nothing('its features command answers no JSON');
  }
  const linux = at(answer, 'linux');
  const [options, namespaces] = [at(answer, 'mountOptions'), at(linux, 'namespaces')];
  const idmap = at(at(at(linux, 'mountExtensions'), 'idmap'), 'enabled');
  return {
    recursiveReadOnly: Array.isArray(options) && options.includes('rro'),
    userNamespaces: idmap === true && Array.isArray(namespaces) && namespaces.includes('user'),
  };
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function nothing(unknown: string): RuntimeFeatures {
  return { recursiveReadOnly: false, userNamespaces: false, unknown };
}
