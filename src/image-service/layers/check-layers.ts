import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { abortable } from '../../base/abort.js';
import { internal } from '../../base/errors.js';
import type { LayerRecord } from '../types.js';
import type { CountAnswer } from './check-worker.js';

export interface DamagedLayer {
  readonly chainId: string;
  readonly why: string;
}

/**
 * Counts layers again, one after the other in a thread of its own, and returns those that are not as they were unpacked. It
 * is for what a file system loses or cuts off; whether a content has been changed in place is not looked at.
 */
export async function checkLayers(
  layers: readonly { readonly record: LayerRecord; readonly path: string }[],
  signal: AbortSignal,
): Promise<DamagedLayer[]> {
  const worker = new Worker(new URL('./check-worker.js', import.meta.url));
  worker.unref();
  try {
    const damaged: DamagedLayer[] = [];
    for (const { record, path } of layers) {
      const why = difference(record, await ask(worker, path, signal));
      if (why !== undefined) damaged.push({ chainId: record.chainId, why });
    }
    return damaged;
  } finally {
    await worker.terminate();
  }
}

/** @throws the signal's reason; internal if the thread ends */
async function ask(worker: Worker, path: string, signal: AbortSignal): Promise<CountAnswer> {
  const settled = new AbortController();
  const listening = { signal: AbortSignal.any([signal, settled.signal]) };
  const ended = once(worker, 'exit', listening).then((): never => {
    throw internal('the thread that checks layers ended');
  });
  const answered = once(worker, 'message', listening).then(([answer]) => answer as CountAnswer);
  try {
    worker.postMessage(path);
    return await abortable(Promise.race([answered, ended]), signal);
  } finally {
    settled.abort();
    for (const promise of [ended, answered]) promise.catch(() => undefined);
  }
}

function difference({ whole }: LayerRecord, answer: CountAnswer): string | undefined {
  if ('error' in answer) return answer.error;
  const { entries, content } = answer.count;
  if (whole === undefined) return undefined;
  if (entries !== whole.entries) return `has ${entries} files and directories, not ${whole.entries}`;
  return content === whole.content ? undefined : `has ${content} bytes in files, not ${whole.content}`;
}
