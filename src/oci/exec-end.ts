import { existsSync } from 'node:fs';

import { readIfExists } from '../base/files.js';
import { refusalIn } from './refusal.js';
import { lastLogError, type OciRuntime } from './runtime.js';

/** A runtime's `exec` that has ended. */
export interface EndedExec {
  readonly runtime: OciRuntime;
  readonly containerId: string;
  /** The command's program, as it was asked for. */
  readonly program: string;
  /** Written once the command's own process runs (`--pid-file`). */
  readonly pidFile: string;
  /** The runtime's own log, as JSON (`--log`, `--log-format`). */
  readonly log: string;
  readonly exitCode: number;
  /** Of the runtime itself: a command's is told by the exit code. */
  readonly signal: NodeJS.Signals | null;
}

/**
 * Tells whose the exit code is: the command's, which is answered by undefined; or the runtime's, which could not execute
 * the program: then it is answered why, in plain words, and what came on the command's outputs is the runtime's own.
 * @throws failed-precondition where the container does not run any more; internal with what the runtime said for all else
 * that kept it from starting the command, or from hearing of its end.
 */
export async function refusalOf(ended: EndedExec): Promise<string | undefined> {
  const { runtime, containerId, program, pidFile, log, exitCode, signal } = ended;
  if (signal !== null) throw runtime.failure('exec', containerId, `the runtime was ended by ${signal}`);
  if (exitCode === 0) return undefined;
  const message = lastLogError(await readIfExists(log));
  const refusal = message === undefined ? undefined : refusalIn(message, program);
  if (refusal !== undefined) return refusal;
  const started = existsSync(pidFile);
  if (started && !LOST.test(message ?? '')) return undefined;
  const reason = message ?? `it ended with exit code ${exitCode} before it started the command`;
  throw runtime.failure('exec', containerId, reason, {
    code: GONE.test(reason) ? 'failed-precondition' : 'internal',
  });
}

/** runc's last word: what it logs at its other errors, of a terminal's size for instance, is no end of the command. */
const LOST = /^exec failed: /;

/** Of runc and crun: the working directory has gone while the container ran. */
const GONE = /\bcwd\b|^chdir /;
