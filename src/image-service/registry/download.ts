import { hasCode } from '../../base/errors.js';
import type { BlobName } from './manifest.js';
import { PartialBlob, type PartialPlace } from './partial-blobs.js';
import type { RegistrySession, SessionOrder } from './session.js';
import { retryAfterOf } from './transient.js';

export interface DownloadOptions {
  readonly session: RegistrySession;
  readonly blob: BlobName;
  /** Where a beginning of the blob is kept, or may be. */
  readonly partial: PartialPlace | undefined;
  /** False if the server is to be heard as a whole. */
  readonly mayResume: boolean;
  /** Told what goes wrong with the beginning that is kept, which fails no download. */
  readonly onTrouble: (error: unknown) => void;
  /** Told of the bytes that the server sent. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** What another thread needs for a download, but for the answers to challenges. */
export interface DownloadOrder extends SessionOrder {
  readonly blob: BlobName;
  readonly partial: PartialPlace | undefined;
  readonly mayResume: boolean;
}

/** How far a download is. */
export interface Received {
  readonly bytes: number;
  /** Those of them that this server sent. */
  readonly fetched: number;
  /** Some were asked for by range, which servers get wrong, or were kept from an earlier download. */
  readonly resumed: boolean;
}

/** A download that got this far since its connection was opened may open another, as often as it likes. */
const GOOD_PROGRESS = 1 << 20;
const MAX_REOPENED = 3;

/**
 * One try to get a blob from one server: read it once, as bytes that nobody verified, then say how that went. It is read either here or, by its
 * {@link order}, in a thread that uses the bytes, so that they never pass the main thread.
 */
export class Download implements AsyncIterable<Uint8Array> {
  readonly #options: DownloadOptions;
  #received: Received = { bytes: 0, fetched: 0, resumed: false };
  #partial: PartialBlob | undefined;
  /** Called with each chunk here, and from time to time for a download elsewhere. */
  onReceived: ((received: Received) => void) | undefined;

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  get blob(): BlobName {
    return this.#options.blob;
  }

  get session(): RegistrySession {
    return this.#options.session;
  }

  get order(): DownloadOrder {
    const { session, blob, partial, mayResume } = this.#options;
    const { digest, size } = blob;
    return { ...session.order, blob: { digest, size }, partial, mayResume };
  }

  get received(): Received {
    return this.#received;
  }

  noteReceived(received: Received): void {
    this.#options.onBytes?.(received.fetched - this.#received.fetched);
    this.#received = received;
    this.onReceived?.(received);
  }

  noteTrouble(error: unknown): void {
    this.#options.onTrouble(error);
  }

  /** The blob's bytes: those that are here, then the rest from the server, whose connection may break. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { session, blob, mayResume } = this.#options;
    const partial = await this.#openPartial();
    for await (const chunk of partial?.kept() ?? []) {
      this.#count(chunk.byteLength, { fetched: 0, resumed: true });
      yield chunk;
    }
    for (let reopened = 0; this.#received.bytes < blob.size; reopened++) {
      const start = this.#received.bytes;
      this.#count(0, { fetched: 0, resumed: start > 0 });
      try {
        for await (const chunk of await session.openBlob(blob, start)) {
          this.#count(chunk.byteLength, { fetched: chunk.byteLength, resumed: false });
          await partial?.append(chunk);
          yield chunk;
        }
        return;
      } catch (error) {
        const came = this.#received.bytes - start;
        const mayGoOn = came >= GOOD_PROGRESS || (came > 0 && reopened < MAX_REOPENED);
        if (retryAfterOf(error) === undefined || !mayGoOn || !mayResume) throw error;
      }
    }
  }

  /** Keeps what came for the next try, unless the blob is whole, or wrong. */
  async end(failure?: { readonly error: unknown }): Promise<void> {
    if (failure === undefined || hasCode(failure.error, 'data-loss')) await this.#partial?.drop();
    else await this.#partial?.keep();
  }

  #count(count: number, { fetched, resumed }: { readonly fetched: number; readonly resumed: boolean }): void {
    const before = this.#received;
    this.noteReceived({
      bytes: before.bytes + count,
      fetched: before.fetched + fetched,
      resumed: before.resumed || resumed,
    });
  }

  async #openPartial(): Promise<PartialBlob | undefined> {
    const { partial, blob, onTrouble } = this.#options;
    if (partial === undefined) return undefined;
    try {
      this.#partial = await PartialBlob.open(partial, blob.size);
    } catch (error) {
      onTrouble(error);
    }
    return this.#partial;
  }
}
