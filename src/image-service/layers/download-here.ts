import { collectYoungGarbage } from '../../base/collect-garbage.js';
import { Download, type DownloadOrder, type Received } from '../registry/download.js';
import type { Authorize } from '../registry/authorizer.js';
import { HttpPool } from '../registry/http.js';
import { Proxies } from '../registry/proxies.js';
import { RegistrySession } from '../registry/session.js';
import type { UnpackJob } from './unpack-job.js';

export interface DownloadHereOptions {
  /** Takes the bytes. */
  readonly job: UnpackJob;
  readonly authorize: Authorize;
  readonly onReceived: (received: Received) => void;
  readonly onTrouble: (error: unknown) => void;
}

/** Each chunk is a buffer of its own, and garbage when it is unpacked. */
const GARBAGE = 2 << 20;
/** Nobody looks at progress more often. */
const TELL_MS = 100;

/** The thread's own connections, kept for its next layer. */
let pool: HttpPool | undefined;

/** Downloads and unpacks a blob in this thread. @throws what the registry, the network or the job have to say */
export async function downloadHere(order: DownloadOrder, options: DownloadHereOptions): Promise<void> {
  const { endpoint, image, authorizations, http, ...rest } = order;
  const { job, authorize, onTrouble } = options;
  pool ??= new HttpPool(http.timeouts, new Proxies(http.environment));
  const session = new RegistrySession(endpoint, { http: pool, image, authorize, authorizations });
  const download = new Download({ session, ...rest, onTrouble });
  download.onReceived = nowAndThen(options.onReceived);
  try {
    let garbage = 0;
    for await (const chunk of download) {
      await job.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      garbage += chunk.byteLength;
      if (garbage < GARBAGE) continue;
      garbage = 0;
      collectYoungGarbage();
    }
    await job.end();
  } catch (error) {
    options.onReceived(download.received);
    await download.end({ error });
    throw error;
  }
  options.onReceived(download.received);
  await download.end();
}

function nowAndThen(tell: (received: Received) => void): (received: Received) => void {
  let last = 0;
  return (received) => {
    const now = performance.now();
    if (now - last < TELL_MS) return;
    last = now;
    tell(received);
  };
}
