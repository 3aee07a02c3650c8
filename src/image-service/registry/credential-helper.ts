import { failedPrecondition } from '../../base/errors.js';
import { run, type RunResult } from '../../base/spawn.js';
import type { Credentials } from './credentials.js';
import { parseObject, stringOf } from './json.js';

const TIMEOUT_MS = 30_000;
const MAX_OUTPUT = 1 << 20;
/** How Docker's configuration calls Docker Hub. */
const HUB = 'https://index.docker.io/v1/';

/**
 * Asks `docker-credential-<helper> get` for a registry's credentials. A helper gets the daemon's environment: those of
 * clouds look there for their account.
 * @throws failed-precondition naming the helper if it fails; its output, which may hold the secret, is in no error
 */
export async function askHelper(helper: string, registry: string): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(helper))
    throw failedPrecondition(`${JSON.stringify(helper)} is no name of a credential helper`);
  const program = `docker-credential-${helper}`;
  const what = `${program} for ${registry}`;
  const stdin = registry === 'docker.io' ? HUB : registry;
  const result = await run(program, ['get'], {
    timeoutMs: TIMEOUT_MS,
    stdin,
    env: environment(),
    maxOutput: MAX_OUTPUT,
  }).catch((error: unknown) => {
    // It is this node that is in trouble, not the registry's server.
    throw failedPrecondition(what, error);
  });
  if (result.exitCode === 0) return readAnswer(result, what);
  if (knowsNothing(result)) return undefined;
  throw failedPrecondition(`${what} exited with ${result.exitCode}${lastWords(result)}`);
}

function readAnswer({ stdout }: RunResult, what: string): Credentials {
  const answer = parseObject(stdout.toString(), `the answer of ${what}`);
  const [username, secret] = [stringOf(answer['Username']), stringOf(answer['Secret'])];
  if (secret === '') throw failedPrecondition(`${what} answered without a secret`);
  if (username === '<token>') return { kind: 'identity', token: secret };
  return { kind: 'basic', username, password: secret };
}

/** Helpers say on standard output that they know nothing of a server. */
function knowsNothing({ stdout }: RunResult): boolean {
  return /credentials not found|no credentials/i.test(stdout.toString());
}

function lastWords({ stderr }: RunResult): string {
  const said = stderr
    .toString()
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return said === '' ? '' : `: ${said.slice(0, 200)}`;
}

function environment(): Record<string, string> {
  const all = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(all);
}
