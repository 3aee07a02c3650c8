import { hasCode } from '../../base/errors.js';
import { firstOf, type Patience } from './first-of.js';
import type { Descriptor } from './manifest.js';
import type { PartialBlob, PartialBlobs } from './partial-blobs.js';
import type { RegistrySession } from './session.js';
import { retryAfterOf } from './transient.js';

export interface FetchBlobOptions<T> {
  readonly sessions: readonly RegistrySession[];
  readonly partials: PartialBlobs;
  readonly patience: Patience;
  /** Reads and verifies the whole blob; called again, from the start, after a failure. @throws data-loss for wrong content */
  readonly use: (source: AsyncIterable<Uint8Array>) => Promise<T>;
  readonly signal: AbortSignal;
}

/** A download that got this far since its connection was opened may open another, as often as it likes. */
const GOOD_PROGRESS = 1 << 20;
const MAX_REOPENED = 3;

/** Fetches a blob from the first server that has it whole, going on where an earlier download was cut short. */
export function fetchBlob<T>(blob: Descriptor, options: FetchBlobOptions<T>): Promise<T> {
  const { sessions, patience, signal } = options;
  const attempt = (session: RegistrySession): Promise<T> => fetchFrom(session.withSignal(signal), blob, options);
  return firstOf(sessions, `blob ${blob.digest}`, { attempt, patience, signal });
}

/** How a download went so far. */
interface Course {
  /** The rest was asked for by range, which servers get wrong. */
  resumed: boolean;
  readonly mayResume: boolean;
}

async function fetchFrom<T>(
  session: RegistrySession,
  blob: Descriptor,
  options: FetchBlobOptions<T>,
  mayResume = true,
): Promise<T> {
  const partial = await options.partials.open(blob);
  const course: Course = { resumed: false, mayResume };
  try {
    const result = await options.use(resumable(session, blob, { partial, course }));
    await partial?.drop();
    return result;
  } catch (error) {
    if (!hasCode(error, 'data-loss')) {
      await partial?.keep();
      throw error;
    }
    await partial?.drop();
    // The wrong bytes may be from whoever was asked the last time, or where the parts meet: the server is to be heard as a whole.
    if (mayResume && (course.resumed || (partial !== undefined && partial.offset > 0)))
      return fetchFrom(session, blob, options, false);
    throw error;
  }
}

/** The blob's bytes: those that are here, then the rest from the server, whose connection may break. */
async function* resumable(
  session: RegistrySession,
  blob: Descriptor,
  { partial, course }: { readonly partial: PartialBlob | undefined; readonly course: Course },
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  if (partial !== undefined && partial.offset > 0)
    for await (const chunk of partial.read()) {
      offset += chunk.byteLength;
      yield chunk;
    }
  for (let reopened = 0; offset < blob.size; reopened++) {
    const start = offset;
    course.resumed ||= start > 0;
    try {
      for await (const chunk of await session.openBlob(blob, offset)) {
        offset += chunk.byteLength;
        await partial?.append(chunk);
        yield chunk;
      }
      return;
    } catch (error) {
      const mayGoOn = offset - start >= GOOD_PROGRESS || (offset > start && reopened < MAX_REOPENED);
      if (retryAfterOf(error) === undefined || !mayGoOn || !course.mayResume) throw error;
    }
  }
}
