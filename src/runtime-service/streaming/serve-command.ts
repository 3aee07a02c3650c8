import type { Writable } from 'node:stream';

import { abortable, settlesWithin } from '../../base/abort.js';
import { describeError, hasCode, type GantryError } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import type { CommandClient } from './command-client.js';
import { formatStatus, type CommandStatus } from './command-status.js';
import { endStream } from './end-stream.js';
import { FAREWELL_MS } from './let-go.js';
import { Sizes } from './resize.js';
import type { Session } from './session.js';
import type { AttachTarget, ExecTarget, StreamingBackend, StreamSession } from './types.js';

interface Serving {
  readonly backend: StreamingBackend;
  readonly session: Session;
  readonly logger: Logger;
}

/** Runs the command, or joins the container, until its end or the client's; tells the client how it ended. */
export async function serveCommand(
  client: CommandClient,
  target: ExecTarget | AttachTarget,
  { backend, session, logger }: Serving,
): Promise<void> {
  const sizes = new Sizes(client.resize);
  const status = await run(target, backend, {
    stdin: client.stdin,
    stdout: client.stdout,
    stderr: client.stderr,
    onResize: (listener) => sizes.onResize(listener),
    signal: session.signal,
  });
  if (status.ended === 'error' && !session.signal.aborted)
    logger.info({ error: describeError(status.error) }, 'what a client asked for has failed');
  // Who does not keep up with the output is not waited for to take the rest of it.
  if (status.ended === 'error' && hasCode(status.error, 'resource-exhausted'))
    session.abort(status.error as GantryError);
  await tell(client, status, session.signal);
}

async function run(
  target: ExecTarget | AttachTarget,
  backend: StreamingBackend,
  session: StreamSession,
): Promise<CommandStatus> {
  try {
    if (target.kind === 'attach') {
      await backend.attach(target, session);
      return { ended: 'well' };
    }
    const { exitCode } = await backend.exec(target, session);
    return exitCode === 0 ? { ended: 'well' } : { ended: 'non-zero', exitCode };
  } catch (error) {
    return { ended: 'error', error };
  }
}

/** Output first: WebSocket clients leave when they have the status. */
async function tell(client: CommandClient, status: CommandStatus, signal: AbortSignal): Promise<void> {
  const message = formatStatus(status, client.statusForm);
  const said = (async () => {
    await Promise.all([flush(client.stdout), flush(client.stderr)]);
    if (message !== '') client.error.write(message);
    await flush(client.error);
    await client.finish();
  })();
  if (!signal.aborted) await abortable(said, signal).catch(() => undefined);
  if (!signal.aborted) return;
  await settlesWithin(
    said.then(() => client.gone),
    FAREWELL_MS,
  );
  client.destroy();
}

async function flush(stream: Writable | undefined): Promise<void> {
  if (stream !== undefined) await endStream(stream);
}
