import { hasCode } from '../../base/errors.js';
import { Download } from './download.js';
import { firstOf, type Patience } from './first-of.js';
import type { Descriptor } from './manifest.js';
import type { PartialBlobs } from './partial-blobs.js';
import type { RegistrySession } from './session.js';

export interface FetchBlobOptions<T> {
  readonly sessions: readonly RegistrySession[];
  readonly partials: PartialBlobs;
  readonly patience: Patience;
  /** Reads and verifies the whole blob; called again, with another download, after a failure. @throws data-loss for wrong content */
  readonly use: (download: Download) => Promise<T>;
  /** Told of the bytes that servers sent. */
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Fetches a blob from the first server that has it whole, going on where an earlier download was cut short. */
export function fetchBlob<T>(blob: Descriptor, options: FetchBlobOptions<T>): Promise<T> {
  const { sessions, patience, signal } = options;
  const attempt = (session: RegistrySession): Promise<T> => fetchFrom(session.withSignal(signal), blob, options);
  return firstOf(sessions, `blob ${blob.digest}`, { attempt, patience, signal });
}

/** Wrong bytes may be from whoever was asked the last time, or where the parts meet: then the server is heard as a whole. */
async function fetchFrom<T>(
  session: RegistrySession,
  blob: Descriptor,
  options: FetchBlobOptions<T>,
  mayResume = true,
): Promise<T> {
  const lease = await options.partials.lease(blob);
  const onTrouble = lease?.noteTrouble ?? ((): void => undefined);
  const download = new Download({
    session,
    blob,
    partial: lease?.place,
    mayResume,
    onTrouble,
    onBytes: options.onBytes,
  });
  try {
    const result = await options.use(download);
    await download.end();
    return result;
  } catch (error) {
    await download.end({ error });
    if (!hasCode(error, 'data-loss') || !mayResume || !download.received.resumed) throw error;
  } finally {
    lease?.release();
  }
  return fetchFrom(session, blob, options, false);
}
