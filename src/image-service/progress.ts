import { sleep } from '../base/abort.js';
import { Download } from './registry/download.js';

/** A layer of an image that is being fetched, in bytes as they are transferred. */
export interface LayerProgress {
  readonly digest: string;
  readonly done: number;
  readonly size: number;
  readonly state: 'waiting' | 'fetching' | 'done';
}

/** A layer of an image whose fetch began. */
export interface ProgressRow {
  readonly digest: string;
  readonly size: number;
  /** True once it is unpacked. */
  readonly isThere: () => boolean;
}

/** What is known of the images that are being fetched: one layer may be part of several, and is fetched once. */
export class Progress {
  readonly #images = new Map<string, readonly ProgressRow[]>();
  readonly #bytes = new Map<string, number>();

  /** @param key whatever stands for the fetch, for {@link of} */
  begin(key: string, rows: readonly ProgressRow[]): void {
    this.#images.set(key, rows);
  }

  end(key: string): void {
    this.#images.delete(key);
    const wanted = new Set([...this.#images.values()].flat().map(({ digest }) => digest));
    for (const digest of this.#bytes.keys()) if (!wanted.has(digest)) this.#bytes.delete(digest);
  }

  /** The same source, its bytes counted for the layer; a second try starts again at none. */
  counted(digest: string, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    if (!(source instanceof Download)) return this.#counting(digest, source);
    source.onReceived = ({ bytes }) => this.#bytes.set(digest, bytes);
    return source;
  }

  async *#counting(digest: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let done = 0;
    for await (const chunk of source) {
      done += chunk.byteLength;
      this.#bytes.set(digest, done);
      yield chunk;
    }
  }

  /** The layers of these fetches, base first; those of one that ended are not among them. */
  of(keys: Iterable<string>): LayerProgress[] {
    const rows = [...keys].flatMap((key) => this.#images.get(key) ?? []);
    const byDigest = new Map(rows.map((row) => [row.digest, row]));
    return [...byDigest.values()].map((row) => this.#stateOf(row));
  }

  #stateOf({ digest, size, isThere }: ProgressRow): LayerProgress {
    if (isThere()) return { digest, size, done: size, state: 'done' };
    const done = this.#bytes.get(digest);
    return { digest, size, done: done ?? 0, state: done === undefined ? 'waiting' : 'fetching' };
  }
}

/** How often people want to know. */
const INTERVAL_MS = 200;

/** Runs a fetch, which tells its keys; yields how far it is from time to time, and what it resolves with at last. */
export async function* watchProgress(
  progress: Progress,
  start: (tell: (key: string) => void) => Promise<object>,
): AsyncGenerator<{ readonly layers: readonly LayerProgress[] } | { readonly result: object }> {
  const keys = new Set<string>();
  const work = start((key) => keys.add(key));
  const settled = work.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([settled, sleep(INTERVAL_MS).then(() => false)]))) {
    const layers = progress.of(keys);
    if (layers.length > 0) yield { layers };
  }
  yield { result: await work };
}
