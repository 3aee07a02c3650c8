import { throwIfAborted } from '../../../base/abort.js';
import { CommandPipes } from '../../container/command-pipes.js';
import { inContainer, type CommandPlace } from '../../container/command.js';
import type { ContainerContext } from '../../container/context.js';
import type { ExecTarget, StreamSession } from '../types.js';
import { CommandTerminal } from './command-terminal.js';
import { feed, forward } from './copy.js';

/**
 * Runs a command for a client until its end (CRI Exec). When the client goes, the command is hung up on, and killed if
 * that does not end it; what it put beyond a hang-up's reach stays.
 * @throws not-found; failed-precondition if the container does not run; internal if the runtime fails; cancelled when the
 * client went.
 */
export async function exec(
  context: ContainerContext,
  target: ExecTarget,
  session: StreamSession,
): Promise<{ readonly exitCode: number }> {
  throwIfAborted(session.signal);
  const run = target.tty ? withTerminal : withPipes;
  return inContainer(context, target.containerId, async (place) => ({ exitCode: await run(place, target, session) }));
}

async function withPipes(place: CommandPlace, { command }: ExecTarget, session: StreamSession): Promise<number> {
  const { stdin, stdout, stderr, signal } = session;
  const pipes = new CommandPipes({ stdin: stdin !== undefined });
  const fed = feed(stdin, pipes.stdin, { ends: true });
  try {
    const running = await place.start(command, { stdio: pipes.stdio });
    pipes.handOver();
    forward(pipes.stdout, stdout, running.begun());
    forward(pipes.stderr, stderr, running.begun());
    const { exitCode, refusal } = await running.endOrStop(signal, 'hang-up', pipes);
    throwIfAborted(signal);
    if (refusal !== undefined) stderr?.write(`${refusal}\n`);
    return exitCode;
  } finally {
    fed.stop();
    pipes.close();
  }
}

async function withTerminal(place: CommandPlace, { command }: ExecTarget, session: StreamSession): Promise<number> {
  const { stdin, stdout, signal } = session;
  const terminal = new CommandTerminal();
  // A terminal has no end of input: half-close leaves it as it is, as with the peers.
  const fed = feed(stdin, terminal.input, { ends: false });
  try {
    session.onResize((size) => terminal.resize(size));
    const running = await place.start(command, { stdio: terminal.stdio, terminal: true });
    terminal.handOver((size) => running.resize(size));
    forward(terminal.output, stdout, running.begun());
    const { exitCode, refusal } = await running.endOrStop(signal, 'hang-up', terminal);
    throwIfAborted(signal);
    if (refusal !== undefined) stdout?.write(`${refusal}\r\n`);
    return exitCode;
  } finally {
    fed.stop();
    terminal.close();
  }
}
