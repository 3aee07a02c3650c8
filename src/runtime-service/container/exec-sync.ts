import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { deadlineSignal } from '../../base/abort.js';
import { BoundedBuffer } from '../../base/bounded-buffer.js';
import { deadlineExceeded, failedPrecondition, unavailable } from '../../base/errors.js';
import { removeTree } from '../../base/files.js';
import { exitCodeOf, start } from '../../base/spawn.js';
import type { ContainerContext } from './context.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { containerPaths } from './paths.js';
import type { ContainerRecord } from './types.js';

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Bytes kept of each stream; what is cut is said at its end. */
const MAX_OUTPUT = 16 * 1024 * 1024;
/** How long output may still come after the command's own end, from what it left in the background. */
const DRAIN_MS = 2_000;

/**
 * Runs a command in a running container and returns its output and exit code (CRI ExecSync).
 * @throws not-found; failed-precondition if it does not run; deadline-exceeded once `timeoutSeconds` (0: none) pass or
 * the caller gives up: the command's whole process tree is gone then.
 */
export async function execSync(
  context: ContainerContext,
  request: { readonly containerId: string; readonly command: readonly string[]; readonly timeoutSeconds: number },
  signal: AbortSignal,
): Promise<ExecResult> {
  const { record, status } = context.store.find(request.containerId);
  if (status.state !== 'running')
    throw failedPrecondition(`container "${record.id}" does not run: it is ${status.state}`);
  const { bundle } = containerPaths(context.stateDir, record.id);
  const pidFile = join(bundle, `exec-${randomBytes(8).toString('hex')}.pid`);
  const limit = request.timeoutSeconds > 0 ? [deadlineSignal(request.timeoutSeconds * 1000)] : [];
  try {
    return await runCommand(context, {
      record,
      command: request.command,
      pidFile,
      stop: AbortSignal.any([signal, ...limit]),
    });
  } finally {
    await removeTree(pidFile);
  }
}

interface Command {
  readonly record: ContainerRecord;
  readonly command: readonly string[];
  readonly pidFile: string;
  readonly stop: AbortSignal;
}

async function runCommand(context: ContainerContext, { record, command, pidFile, stop }: Command): Promise<ExecResult> {
  const runtime = context.runtimes.get(record.handler);
  const args = [...runtime.globalArgs, 'exec', '--pid-file', pidFile, record.id, ...command];
  const child = start(runtime.options.path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout = new BoundedBuffer(MAX_OUTPUT);
  const stderr = new BoundedBuffer(MAX_OUTPUT);
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', (error) => reject(unavailable(`cannot start ${runtime.options.path}`, error)));
    child.on('exit', (code, signal) => resolve(exitCodeOf(code, signal)));
  });
  let cut: Promise<void> | undefined;
  const onStop = (): void => {
    cut = killExec(pidFile, child.pid);
  };
  stop.addEventListener('abort', onStop, { once: true });
  if (stop.aborted) onStop();
  const exitCode = await exited;
  stop.removeEventListener('abort', onStop);
  if (cut !== undefined) {
    await cut;
    throw deadlineExceeded(
      `exec in container "${record.id}": "${command.join(' ')}" did not end in time and was killed`,
    );
  }
  await drained(closed);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return { exitCode, stdout: finish(stdout), stderr: finish(stderr) };
}

/** Kills the command with all its descendants and its session, then the runtime's own process that waits for it. */
async function killExec(pidFile: string, runtimePid: number | undefined): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (pid > 1) await killTree(pid);
  if (runtimePid !== undefined) await killTree(runtimePid);
}

async function drained(closed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DRAIN_MS);
  });
  await Promise.race([closed, limit]);
  clearTimeout(timer);
}

function finish(buffer: BoundedBuffer): Buffer {
  if (!buffer.truncated) return buffer.bytes();
  return Buffer.concat([buffer.bytes(), Buffer.from(`\n[output cut after ${MAX_OUTPUT} bytes]\n`)]);
}
