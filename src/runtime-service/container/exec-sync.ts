import { withDeadline } from '../../base/abort.js';
import { deadlineExceeded } from '../../base/errors.js';
import { CommandPipes } from './command-pipes.js';
import { inContainer, type CommandPlace } from './command.js';
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

/**
 * Runs a command in a running container and returns its output and exit code (CRI ExecSync). It has ended when its own
 * process has: kubelet's probes do not wait for what a script leaves in the background. One that cannot be executed has the
 * runtime's exit code, and on stderr the reason.
 * @throws not-found; failed-precondition if it does not run; internal if the runtime fails; deadline-exceeded once `timeoutSeconds` pass or the caller
 * gives up: everything that the command has started is gone then.
 */
export function execSync(
  context: ContainerContext,
  { containerId, command, timeoutSeconds }: ExecRequest,
  signal: AbortSignal,
): Promise<ExecResult> {
  const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 : Infinity;
  return inContainer(context, containerId, (place, record) =>
    withDeadline(timeoutMs, signal, (stop) => collect(place, { record, command, stop })),
  );
}

interface Collected {
  readonly record: ContainerRecord;
  readonly command: readonly string[];
  readonly stop: AbortSignal;
}

async function collect(place: CommandPlace, { record, command, stop }: Collected): Promise<ExecResult> {
  const pipes = new CommandPipes({ stdin: false });
  const output = new ExecOutput();
  try {
    output.collect(pipes);
    const running = await place.start(command, { stdio: pipes.stdio });
    pipes.handOver();
    const { exitCode, stopped, refusal } = await running.endOrStop(stop, 'kill', pipes);
    if (stopped) {
      const what = `exec in container "${record.id}": "${command.join(' ')}"`;
      throw deadlineExceeded(`${what} did not end in time and was killed`);
    }
    if (refusal !== undefined) return { exitCode, stdout: Buffer.alloc(0), stderr: Buffer.from(`${refusal}\n`) };
    return { exitCode, ...output.result() };
  } finally {
    pipes.close();
    output.close();
  }
}
