import { chmod, lstat, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname, isAbsolute } from 'node:path';

import { errnoOf, failedPrecondition, invalidArgument, wrapError } from '../base/errors.js';
import { ensurePublicDirectory } from '../base/files.js';

/** sun_path of sockaddr_un has 108 bytes, the last of which is the terminating zero. */
const MAX_PATH_BYTES = 107;

/** Read and written by root and the socket's group; nobody else may drive the node. */
const SOCKET_MODE = 0o660;

/**
 * Binds a server to a unix socket.
 *
 * @param listen an absolute path, or the same as `unix:///path`
 * @returns the path
 * @throws invalid-argument for a path that cannot be a socket's; failed-precondition if another server answers
 * there or something that is no socket is in the way, which is left as it is
 */
export async function bindSocket(server: Server, listen: string): Promise<string> {
  const path = socketPath(listen);
  await ensurePublicDirectory(dirname(path));
  await removeStale(path);
  await bind(server, path);
  await chmod(path, SOCKET_MODE);
  return path;
}

function socketPath(listen: string): string {
  const path = listen.startsWith('unix://') ? listen.slice('unix://'.length) : listen;
  if (!isAbsolute(path)) throw invalidArgument(`listen ${JSON.stringify(listen)} is not an absolute path`);
  if (path.includes('\0')) throw invalidArgument(`listen ${JSON.stringify(listen)} has a zero byte in it`);
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return path;
  throw invalidArgument(`listen ${path} has ${bytes} bytes; a unix socket's path has at most ${MAX_PATH_BYTES}`);
}

/** A socket file outlives the process that bound it, so only a connection tells whether anyone is there. */
async function removeStale(path: string): Promise<void> {
  if (!(await isSocket(path))) return;
  const answer = await probe(path);
  if (answer === 'live') throw failedPrecondition(`another server is listening on ${path}`);
  await rm(path, { force: true });
}

/** False if nothing is there. */
async function isSocket(path: string): Promise<boolean> {
  try {
    const found = await lstat(path);
    if (found.isSocket()) return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw wrapError(error, `look at ${path}`);
  }
  throw failedPrecondition(`${path} exists and is not a socket`);
}

function probe(path: string): Promise<'live' | 'stale'> {
  return new Promise((resolve, reject) => {
    const client = connect(path);
    client.once('connect', () => {
      client.destroy();
      resolve('live');
    });
    client.once('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ECONNREFUSED' || errno === 'ENOENT') resolve('stale');
      // The backlog is full: whoever listens is busy, not gone.
      else if (errno === 'EAGAIN') resolve('live');
      else reject(failedPrecondition(`cannot tell whether a server is listening on ${path}`, error));
    });
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(wrapError(error, `listen on ${path}`));
    server.once('error', fail);
    server.listen({ path }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
