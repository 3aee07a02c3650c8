import { parentPort } from 'node:worker_threads';

import { appendBelowSync } from './append-below.js';
import {
  bringUpLoopbackInSync,
  createNetnsSync,
  mountOverlaySync,
  mountSync,
  syncFileSystemSync,
  unmountSync,
  writeInNetnsSync,
} from './calls.js';
import { findInRootSync, narrowMountSync, readInRootSync } from './in-root.js';
import { mountIdmappedOverlaySync } from './private-mounts.js';
import { removeTreeSync } from './remove-tree.js';

/** The body of a system-call thread: one operation at a time, answered by number. */

const operations = {
  mount: mountSync,
  unmount: unmountSync,
  mountOverlay: mountOverlaySync,
  mountIdmappedOverlay: mountIdmappedOverlaySync,
  narrowMount: narrowMountSync,
  createNetns: createNetnsSync,
  bringUpLoopbackIn: bringUpLoopbackInSync,
  writeInNetns: writeInNetnsSync,
  appendBelow: appendBelowSync,
  readInRoot: readInRootSync,
  findInRoot: findInRootSync,
  syncFileSystem: syncFileSystemSync,
  removeTree: removeTreeSync,
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
