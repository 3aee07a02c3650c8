import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import { failedPrecondition, invalidArgument } from '../../../base/errors.js';
import { parseProfile } from './parse-profile.js';
import type { SeccompProfile } from './profile.js';

/** Docker's default has 25 kB. */
const MAX_BYTES = 1 << 20;

/**
 * Reads a profile from the node's disk.
 * @throws failed-precondition if it cannot be read; invalid-argument for what is no profile, naming file and field.
 */
export async function readProfile(path: string): Promise<SeccompProfile> {
  const file = await openRegular(path);
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) throw invalidArgument(`seccomp profile ${path} has more than ${MAX_BYTES} bytes`);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size), position: 0 });
    return parseProfile(buffer.subarray(0, bytesRead).toString(), path);
  } finally {
    await file.close();
  }
}

/** Without waiting for the writer of a fifo. */
async function openRegular(path: string): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    throw failedPrecondition(`cannot load seccomp profile ${path}`, error);
  }
  await file.close();
  throw failedPrecondition(`cannot load seccomp profile ${path}: it is no file`);
}
