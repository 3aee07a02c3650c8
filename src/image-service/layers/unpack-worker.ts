import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';

import { collectGarbage } from '../../base/collect-garbage.js';
import { internal } from '../../base/errors.js';
import { packLayer, type Packed, type PackRequest } from './pack-layer.js';
import { removeTreeSync } from '../../base/sys/remove-tree.js';
import { fileChunks } from '../layout-files.js';
import type { Refused } from '../registry/authorizer.js';
import { hashFor } from '../registry/digest.js';
import type { DownloadOrder, Received } from '../registry/download.js';
import { fromMessage, toMessage, type ErrorMessage } from './error-message.js';
import { UnpackJob, type UnpackRequest } from './unpack-job.js';
import type { DiskUse } from './untar.js';

/** The body of an unpacking thread: one job at a time, its messages strictly in order. */

/** On Linux this is the calling thread's alone. Probes and new pods go before pulls, which take all the processors that there are. */
const NICE = 15;
setPriority(0, NICE);

export type ToWorker =
  | { readonly type: 'start'; readonly request: UnpackRequest }
  | { readonly type: 'chunk'; readonly buffer: Uint8Array<ArrayBuffer>; readonly length: number }
  | { readonly type: 'end' }
  | { readonly type: 'exit' }
  | { readonly type: 'reset' }
  | { readonly type: 'download'; readonly order: DownloadOrder }
  | { readonly type: 'authorize'; readonly authorization?: string | undefined; readonly error?: ErrorMessage }
  | { readonly type: 'finish'; readonly lowers: readonly string[] }
  | { readonly type: 'remove'; readonly path: string }
  | { readonly type: 'pack'; readonly request: PackRequest }
  | { readonly type: 'digest'; readonly path: string };

export interface FileDigest {
  readonly digest: string;
  readonly size: number;
}

export type FromWorker =
  | { readonly type: 'taken'; readonly buffer: Uint8Array<ArrayBuffer> }
  | { readonly type: 'received'; readonly received: Received }
  | { readonly type: 'trouble'; readonly error: ErrorMessage }
  | { readonly type: 'refused'; readonly refused: Refused }
  | { readonly type: 'verified' }
  | { readonly type: 'finished'; readonly use: DiskUse }
  | { readonly type: 'removed' }
  | { readonly type: 'ready' }
  | { readonly type: 'packed'; readonly packed: Packed }
  | { readonly type: 'digested'; readonly file: FileDigest }
  | { readonly type: 'failed'; readonly error: ErrorMessage };

let job: UnpackJob | undefined;
let turn = Promise.resolve();

parentPort?.on('message', (message: ToWorker) => {
  // Ends this thread alone, between two pieces of work.
  if (message.type === 'exit') process.exit();
  // The answer to a question of the job under way.
  if (message.type === 'authorize') return onAuthorized?.(message);
  turn = turn.then(() => handle(message)).then(reply, fail);
});

async function handle(message: ToWorker): Promise<FromWorker | undefined> {
  if (message.type === 'start') job = new UnpackJob(message.request);
  if (message.type === 'chunk') return take(message.buffer, message.length);
  if (message.type === 'end') return end();
  if (message.type === 'download') return download(message.order);
  if (message.type === 'finish') return { type: 'finished', use: current().finish(message.lowers) };
  if (message.type === 'reset') return reset();
  if (message.type === 'remove') return remove(message.path);
  if (message.type === 'pack') return { type: 'packed', packed: await packLayer(message.request) };
  if (message.type === 'digest') return { type: 'digested', file: await digestOfFile(message.path) };
  return undefined;
}

async function take(buffer: Uint8Array<ArrayBuffer>, length: number): Promise<FromWorker> {
  await current().push(Buffer.from(buffer.buffer, 0, length));
  return { type: 'taken', buffer };
}

/** Imports do without an HTTP client, which takes a while to load. */
async function download(order: DownloadOrder): Promise<FromWorker> {
  const { downloadHere } = await import('./download-here.js');
  await downloadHere(order, {
    job: current(),
    authorize,
    onReceived: (received) => reply({ type: 'received', received }),
    onTrouble: (error) => reply({ type: 'trouble', error: toMessage(error) }),
  });
  return { type: 'verified' };
}

let onAuthorized: ((message: Extract<ToWorker, { type: 'authorize' }>) => void) | undefined;

async function authorize(refused: Refused): Promise<string | undefined> {
  const answered = new Promise<Extract<ToWorker, { type: 'authorize' }>>((resolve) => (onAuthorized = resolve));
  reply({ type: 'refused', refused });
  const { authorization, error } = await answered;
  if (error !== undefined) throw fromMessage(error);
  return authorization;
}

async function end(): Promise<FromWorker> {
  await current().end();
  return { type: 'verified' };
}

function remove(path: string): FromWorker {
  removeTreeSync(path);
  return { type: 'removed' };
}

async function digestOfFile(path: string): Promise<FileDigest> {
  const hash = hashFor('sha256:');
  let size = 0;
  for await (const chunk of fileChunks(path)) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

/** All that came before is answered by now. What a bad layer has left is not kept until the thread works again. */
function reset(): FromWorker {
  job?.abandon();
  job = undefined;
  collectGarbage();
  return { type: 'ready' };
}

function current(): UnpackJob {
  if (job === undefined) throw internal('the unpacking thread has no job');
  return job;
}

function reply(message: FromWorker | undefined): void {
  if (message !== undefined) parentPort?.postMessage(message, message.type === 'taken' ? [message.buffer.buffer] : []);
}

/** A failed job is over; what was sent for it meanwhile fails too, and nobody listens any more. */
function fail(error: unknown): void {
  job?.abandon();
  job = undefined;
  reply({ type: 'failed', error: toMessage(error) });
}
