import { parentPort } from 'node:worker_threads';

import {
  createNetnsSync,
  mountOverlaySync,
  mountSync,
  readInRootSync,
  syncFileSystemSync,
  unmountSync,
  writeInNetnsSync,
} from './calls.js';

/** The body of a system-call thread: one operation at a time, answered by number. */

const operations = {
  mount: mountSync,
  unmount: unmountSync,
  mountOverlay: mountOverlaySync,
  createNetns: createNetnsSync,
  writeInNetns: writeInNetnsSync,
  readInRoot: readInRootSync,
  syncFileSystem: syncFileSystemSync,
};

export type Operations = typeof operations;

export interface Request {
  readonly id: number;
  readonly operation: keyof Operations;
  readonly args: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { code: string; syscall: string; message: string } };

parentPort?.on('message', (request: Request) => parentPort?.postMessage(answer(request)));

function answer({ id, operation, args }: Request): Reply {
  try {
    const fn = operations[operation] as (...args: readonly unknown[]) => unknown;
    return { id, result: fn(...args) };
  } catch (error) {
    const { code = 'EIO', syscall = operation, message } = error as Error & { code?: string; syscall?: string };
    return { id, error: { code, syscall, message } };
  }
}
