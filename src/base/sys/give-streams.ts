import { closeSync, fchownSync, fstatSync } from 'node:fs';

import { copyDescriptorOf, type ProcessIdentity } from './process.js';

/** Ids of the node's. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const STANDARD_STREAMS = [0, 1, 2] as const;

/**
 * Gives the pipes that a process has for standard streams to an owner, who can open them anew then, as /dev/stdout and
 * the like. What is no pipe (/dev/null, a terminal) stays as it is; a process that has ended has none.
 */
export function giveStreamsOf(process: ProcessIdentity, owner: Owner): void {
  for (const stream of STANDARD_STREAMS) {
    const copy = copyDescriptorOf(process, stream);
    if (copy === undefined) continue;
    try {
      givePipe(copy, owner);
    } finally {
      closeSync(copy);
    }
  }
}

/** Gives a pipe away, by either of its ends; what is no pipe stays as it is. */
export function givePipe(fd: number, { uid, gid }: Owner): void {
  if (fstatSync(fd).isFIFO()) fchownSync(fd, uid, gid);
}
