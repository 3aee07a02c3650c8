import type { Readable, Writable } from 'node:stream';

import type { CommandOutput } from '../../container/command-output.js';

/** What is held back of an output until its command has begun; the rest waits in the pipe. */
const MAX_HELD = 64 << 10;

/**
 * Hands a command's output to the client at the client's pace; where there is none, or no more, it is dropped. So is all of
 * a command that never begins: what comes then is the runtime's own. Until that is known it is held back.
 */
export function forward(output: CommandOutput, sink: Writable | undefined, begun: Promise<boolean>): void {
  const give = (chunk: Buffer): boolean => !sink?.writable || sink.write(chunk);
  let [held, bytes]: [Buffer[] | undefined, number] = [[], 0];
  let drop = false;
  sink?.on('error', () => undefined); // the session's signal says that the client is gone
  sink?.on('drain', () => output.resume());
  sink?.on('close', () => output.resume());
  output.forward((chunk) => {
    if (held === undefined) return drop || give(chunk);
    held.push(chunk);
    bytes += chunk.length;
    return bytes < MAX_HELD;
  });
  void begun.then((runs) => {
    const waiting = held ?? [];
    [held, drop] = [undefined, !runs];
    if (drop || waiting.map(give).every(Boolean)) output.resume();
  });
}

export interface Feed {
  /** Nothing of the client's input is used any more; what still comes is dropped. */
  stop(): void;
}

/**
 * Hands the client's input on, a chunk at a time; `ends` closes the target after the input's end. When the target takes
 * no more, the rest is dropped, so that the client's other messages still come through.
 */
export function feed(source: Readable | undefined, target: Writable | undefined, { ends }: { ends: boolean }): Feed {
  if (source === undefined || target === undefined) return { stop: () => source?.resume() };
  // A paused stream may still say that it ended.
  let [writing, ended] = [false, false];
  const closeIfDone = (): void => {
    if (ends && ended && !writing) target.destroy();
  };
  const onData = (chunk: Buffer): void => {
    writing = true;
    source.pause();
    target.write(chunk, (error) => {
      writing = false;
      if (error) stop();
      else closeIfDone();
      source.resume();
    });
  };
  const onEnd = (): void => {
    ended = true;
    closeIfDone();
  };
  const stop = (): void => {
    source.off('data', onData);
    source.off('end', onEnd);
    target.off('close', stop);
    source.resume();
  };
  source.on('error', () => undefined);
  source.on('data', onData);
  source.on('end', onEnd);
  target.on('close', stop);
  return { stop };
}
