import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';

import { describeError } from '../../base/errors.js';
import { countTree, type TreeCount } from './count-tree.js';

/** The body of the thread that counts layers, after everybody else: on Linux the priority is the calling thread's alone. */
setPriority(0, 19);

export type CountAnswer = { readonly count: TreeCount } | { readonly error: string };

parentPort?.on('message', (path: string) => parentPort?.postMessage(answer(path)));

function answer(path: string): CountAnswer {
  try {
    return { count: countTree(path) };
  } catch (error) {
    return { error: describeError(error) };
  }
}
