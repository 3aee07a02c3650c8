import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';

import { describeError } from '../../base/errors.js';
import { measureTree, type TreeUse } from './tree-use.js';

/** The body of the measuring thread: trees take turns, so that a huge one holds up nobody but its own. */

export interface TreeRequest {
  readonly id: number;
  readonly path: string;
}

export type TreeReply =
  { readonly id: number; readonly use: TreeUse } | { readonly id: number; readonly error: string };

parentPort?.on('message', (request: TreeRequest) => void answer(request));

async function answer({ id, path }: TreeRequest): Promise<void> {
  const reply = (message: TreeReply): void => parentPort?.postMessage(message);
  try {
    const walk = measureTree(path);
    let step = walk.next();
    for (; step.done !== true; step = walk.next()) await setImmediate();
    reply({ id, use: step.value });
  } catch (error) {
    reply({ id, error: describeError(error) });
  }
}
