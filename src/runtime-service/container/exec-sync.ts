import type { ChildProcess } from 'node:child_process';

import { abortable, deadlineSignal, withDeadline } from '../../base/abort.js';
import { deadlineExceeded, failedPrecondition, hasCode } from '../../base/errors.js';
import { endOf, start } from '../../base/spawn.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { ExecCgroup } from '../../oci/exec-cgroup.js';
import type { ContainerContext } from './context.js';
import { ExecOutput } from './exec-output.js';
import type { ContainerRecord } from './types.js';

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  /** 0: no limit. */
  readonly timeoutSeconds: number;
}

/** How long output may still come after the command's own end, from what it left in the background. */
const DRAIN_MS = 2_000;
/** How long the runtime may take to start its command, and to notice that it was killed. */
const REAP_ATTEMPTS = 20;
const REAP_MS = 50;

/**
 * Runs a command in a running container and returns its output and exit code (CRI ExecSync).
 * @throws not-found; failed-precondition if it does not run; deadline-exceeded once `timeoutSeconds` pass or the caller
 * gives up: everything that the command has started is gone then.
 */
export async function execSync(
  context: ContainerContext,
  { containerId, command, timeoutSeconds }: ExecRequest,
  signal: AbortSignal,
): Promise<ExecResult> {
  const { record, status } = context.store.find(containerId);
  if (status.state !== 'running')
    throw failedPrecondition(`container "${record.id}" does not run: it is ${status.state}`);
  const cgroup = await ExecCgroup.make(status.processes.cgroupDir);
  const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 : Infinity;
  try {
    return await withDeadline(timeoutMs, signal, (stop) => runCommand(context, { record, command, cgroup, stop }));
  } finally {
    await cgroup.remove();
  }
}

interface Command {
  readonly record: ContainerRecord;
  readonly command: readonly string[];
  readonly cgroup: ExecCgroup;
  readonly stop: AbortSignal;
}

async function runCommand(context: ContainerContext, { record, command, cgroup, stop }: Command): Promise<ExecResult> {
  const runtime = context.runtimes.get(record.handler);
  const { path } = runtime.options;
  const args = [...runtime.globalArgs, 'exec', '--cgroup', cgroup.option, record.id, ...command];
  const child = start(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = new ExecOutput();
  output.collect(child.stdout, child.stderr);
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const { exitCode, killed } = await endOrKill(child, { ended: endOf(child, path, 'exit'), cgroup, stop });
  if (!killed) await drained(closed);
  child.stdout?.destroy();
  child.stderr?.destroy();
  if (!killed) return { exitCode, ...output.result() };
  throw deadlineExceeded(`exec in container "${record.id}": "${command.join(' ')}" did not end in time and was killed`);
}

/** Waits for the runtime's end, and sees to it when `stop` fires. */
async function endOrKill(
  child: ChildProcess,
  { ended, cgroup, stop }: { ended: Promise<number>; cgroup: ExecCgroup; stop: AbortSignal },
): Promise<{ exitCode: number; killed: boolean }> {
  let kill: Promise<void> | undefined;
  const onStop = (): void => {
    kill = killExec(child, { ended, cgroup });
  };
  stop.addEventListener('abort', onStop, { once: true });
  if (stop.aborted) onStop();
  try {
    return { exitCode: await ended, killed: kill !== undefined };
  } finally {
    stop.removeEventListener('abort', onStop);
    await kill;
  }
}

/**
 * The command first, as soon as it is there: the runtime is its parent, and without one to wait for it, it would stay in
 * the container as a zombie. A runtime that does not end by that goes too, and what it has put into the cgroup.
 */
async function killExec(
  { pid }: ChildProcess,
  { ended, cgroup }: { readonly ended: Promise<number>; readonly cgroup: ExecCgroup },
): Promise<void> {
  let over = false;
  for (let left = REAP_ATTEMPTS; left > 0 && !over; left--) {
    await cgroup.kill();
    over = await abortable(ended, deadlineSignal(REAP_MS)).then(
      () => true,
      (error: unknown) => !hasCode(error, 'deadline-exceeded'),
    );
  }
  if (pid !== undefined) await killTree(pid);
  await cgroup.kill();
}

async function drained(closed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DRAIN_MS);
  });
  await Promise.race([closed, limit]);
  clearTimeout(timer);
}
