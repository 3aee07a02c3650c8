import { describeError, failedPrecondition } from '../../../base/errors.js';
import type { OutputName } from '../../../oci/monitor-streams.js';
import type { ContainerContext } from '../../container/context.js';
import { containerPaths } from '../../container/paths.js';
import type { AttachTarget, StreamSession } from '../types.js';
import type { AttachHub, HubClient } from './attach-hub.js';
import type { AttachHubs } from './attach-hubs.js';
import { ClientOutput } from './client-output.js';

export interface AttachContext {
  readonly containers: ContainerContext;
  readonly hubs: AttachHubs;
}

/**
 * Joins a container's own streams (CRI Attach) until it ends, with its output delivered, or the client goes.
 * @throws not-found; failed-precondition if the container has ended or has no monitor; resource-exhausted for a client
 * that does not keep up with the output.
 */
export async function attach(
  { containers, hubs }: AttachContext,
  { containerId }: AttachTarget,
  session: StreamSession,
): Promise<void> {
  const { record, status } = containers.store.find(containerId);
  if (status.state !== 'running' && status.state !== 'created')
    throw failedPrecondition(`container "${record.id}" does not run: it is ${status.state}`);
  const hub = await hubs.of(record, containerPaths(containers, record));
  session.onResize((size) => {
    hub.resize(size).catch((error: unknown) => {
      containers.logger.warn({ container: record.id, error: describeError(error) }, 'cannot set a terminal’s size');
    });
  });
  const stopInput = feedHub(hub, session);
  try {
    await follow(hub, session, record.id);
  } finally {
    stopInput();
  }
}

/** Hands the container's output to the client until either ends. */
async function follow(hub: AttachHub, session: StreamSession, id: string): Promise<void> {
  const outputs: Record<OutputName, ClientOutput> = {
    stdout: new ClientOutput(session.stdout, id),
    stderr: new ClientOutput(session.stderr, id),
  };
  const both = [outputs.stdout, outputs.stderr];
  let client: HubClient | undefined;
  let onAbort = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      client = { onOutput: (name, bytes) => outputs[name].push(bytes), onEnd: () => finish() };
      const finish = (): void => void Promise.all(both.map((output) => output.flushed())).then(() => resolve(), reject);
      for (const output of both) output.lost.catch(reject);
      onAbort = resolve;
      if (session.signal.aborted) resolve();
      session.signal.addEventListener('abort', onAbort, { once: true });
      hub.join(client);
    });
  } finally {
    session.signal.removeEventListener('abort', onAbort);
    if (client !== undefined) hub.leave(client);
    for (const output of both) output.close();
  }
}

/** Hands the client's input on, at the container's pace. The end of the client is the end of its input. */
function feedHub(hub: AttachHub, { stdin }: StreamSession): () => void {
  if (stdin === undefined) return () => undefined;
  const onData = (chunk: Buffer): void => {
    stdin.pause();
    void hub.send(chunk).then(() => stdin.resume());
  };
  const onEnd = (): void => hub.endInput();
  stdin.on('error', () => undefined);
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  return () => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    hub.endInput();
    stdin.resume();
  };
}
