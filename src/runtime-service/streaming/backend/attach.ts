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

/** How long a client whose input has ended still gets output: what it sent may bring an answer. */
const LAST_OUTPUT_MS = 200;

/**
 * Joins a container's own streams (CRI Attach) until it ends, with its output delivered, or the client goes. A client with
 * input is done with the end of that, as with containerd, unless the container's input ends with it (stdin_once), or the
 * container takes none.
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
  const input = feedHub(hub, session);
  try {
    await follow(hub, { session, id: record.id, done: input.done });
  } finally {
    input.stop();
  }
}

interface Followed {
  readonly session: StreamSession;
  readonly id: string;
  /** Settles when the client wants no more. */
  readonly done: Promise<void>;
}

/** Hands the container's output to the client until either ends. */
async function follow(hub: AttachHub, { session, id, done }: Followed): Promise<void> {
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
      void done.then(() => finish());
      hub.join(client);
    });
  } finally {
    session.signal.removeEventListener('abort', onAbort);
    if (client !== undefined) hub.leave(client);
    for (const output of both) output.close();
  }
}

interface Input {
  /** Settles some time after the end of the input where that is the end of the client's visit; never else. */
  readonly done: Promise<void>;
  /** The end of the client is the end of its input. */
  stop(): void;
}

/** Hands the client's input on, at the container's pace. */
function feedHub(hub: AttachHub, { stdin }: StreamSession): Input {
  if (stdin === undefined) return { done: new Promise(() => undefined), stop: () => undefined };
  // A paused stream may still say that it ended.
  let sent = Promise.resolve();
  const onData = (chunk: Buffer): void => {
    stdin.pause();
    sent = hub.send(chunk);
    void sent.then(() => stdin.resume());
  };
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<void>((resolve) => {
    stdin.on('end', () => {
      hub.endInput();
      if (hub.input === 'stays') void sent.then(() => (timer = setTimeout(resolve, LAST_OUTPUT_MS)));
    });
  });
  stdin.on('error', () => undefined);
  stdin.on('data', onData);
  const stop = (): void => {
    stdin.off('data', onData);
    clearTimeout(timer);
    hub.endInput();
    stdin.resume();
  };
  return { done, stop };
}
