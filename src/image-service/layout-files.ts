import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { dataLoss, errnoOf } from '../base/errors.js';
import { checkBigDocument } from './registry/big-document.js';
import { readLimited } from './registry/body.js';
import { digestOf } from './registry/digest.js';
import type { Descriptor } from './registry/manifest.js';

/** An archive's layout is hostile until verified: no link is followed, no fifo waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MAX_DOCUMENT = 4 << 20;
const CHUNK = 256 * 1024;

/** A file's content in chunks. @throws data-loss if it is no regular file */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, FLAGS);
  try {
    yield* chunksOf(file, path);
  } finally {
    await file.close();
  }
}

async function* chunksOf(file: FileHandle, path: string): AsyncGenerator<Uint8Array> {
  if (!(await file.stat()).isFile()) throw dataLoss(`${path} is no regular file`);
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A short file's text, or undefined if it does not exist. */
export async function readDocument(path: string): Promise<string | undefined> {
  try {
    return await checked(await readLimited(fileChunks(path), MAX_DOCUMENT, path), path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A blob of a layout, not verified. @throws data-loss if it is missing */
export async function* readBlob(directory: string, { digest }: Descriptor): AsyncGenerator<Uint8Array> {
  try {
    yield* fileChunks(blobPath(directory, digest));
  } catch (error) {
    throw isMissing(error) ? dataLoss(`blob ${digest} is missing`) : error;
  }
}

/** A short blob's text, verified. */
export async function readBlobText(directory: string, descriptor: Descriptor): Promise<string> {
  const { digest, size } = descriptor;
  const limit = Math.min(size, MAX_DOCUMENT);
  const bytes = await readLimited(readBlob(directory, descriptor), limit, `blob ${digest}`);
  const found = digestOf(bytes, digest);
  if (found !== digest) throw dataLoss(`blob ${digest} has the digest ${found}`);
  return checked(bytes, `blob ${digest}`);
}

async function checked(bytes: Buffer, what: string): Promise<string> {
  const text = bytes.toString('utf8');
  await checkBigDocument(text, what);
  return text;
}

/** A digest was checked to be an algorithm and hexadecimal digits, so it stays in the layout. */
function blobPath(directory: string, digest: string): string {
  return join(directory, 'blobs', ...digest.split(':'));
}

/** Of an error of {@link fileChunks}, or of what reads from it. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error) ?? errnoOf((error as { cause?: unknown }).cause);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
