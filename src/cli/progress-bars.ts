import { MultiBar, type SingleBar } from 'cli-progress';

import type { LayerProgress } from '../image-service/progress.js';
import { sizeText } from './commands/image-summary.js';
import { layerLine, shortDigest, type ProgressDisplay } from './layer-progress.js';

interface Row {
  readonly bar: SingleBar;
  layer: LayerProgress;
}

/** Where a terminal does not tell its height. */
const ROWS = 24;
/** Lines that bars leave free: where the cursor goes at the end, and one of the command before them. */
const FREE_ROWS = 2;
/** Erase in Line, to its end (ECMA-48, 8.3.41): a bar was there. */
const CLEAR_REST = '\u001b[K';

/**
 * A bar a layer. Bars cannot scroll: where they do not fit on the terminal, those of finished layers are taken over by layers
 * that have none yet, and the finished ones become lines above.
 */
export class ProgressBars implements ProgressDisplay {
  readonly #bars: MultiBar;
  readonly #room: number;
  readonly #rows: Row[] = [];
  /** Digests of layers that have, or had, a row or a line. */
  readonly #shown = new Set<string>();
  readonly #restore = new AbortController();
  #layers: readonly LayerProgress[] = [];

  constructor(stream: NodeJS.WriteStream) {
    const format = '{name} [{bar}] {percentage}% {bytes}';
    this.#room = Math.max(1, (stream.rows || ROWS) - FREE_ROWS);
    this.#bars = new MultiBar({
      stream,
      format,
      hideCursor: true,
      clearOnComplete: false,
      barsize: 30,
      emptyOnZero: true,
      // A line above moves all bars.
      forceRedraw: true,
    });
    for (const name of ['SIGINT', 'SIGTERM'] as const) this.#endBy(name);
  }

  update(layers: readonly LayerProgress[]): void {
    if (layers.length === 0) return;
    this.#layers = layers;
    const byDigest = new Map(layers.map((layer) => [layer.digest, layer]));
    // Of several images, those that are there are not told of any more.
    for (const row of this.#rows) set(row, byDigest.get(row.layer.digest) ?? finished(row.layer));
    for (const layer of layers) if (!this.#shown.has(layer.digest)) this.#show(layer);
  }

  end(succeeded: boolean): void {
    if (succeeded) this.update(this.#layers.map(finished));
    this.#restore.abort();
    if (this.#rows.length === 0) return;
    // Lines are written with the bars, but not by the last time that stopping does.
    this.#bars.update();
    this.#bars.stop();
  }

  /** Gives the terminal its cursor back before the signal does what it would have done. */
  #endBy(name: 'SIGINT' | 'SIGTERM'): void {
    const onSignal = (): void => {
      this.end(false);
      process.kill(process.pid, name);
    };
    process.once(name, onSignal);
    this.#restore.signal.addEventListener('abort', () => process.off(name, onSignal));
  }

  #show(layer: LayerProgress): void {
    const free = this.#rows.find((row) => row.layer.state === 'done');
    if (this.#rows.length < this.#room)
      this.#rows.push({ bar: this.#bars.create(layer.size, layer.done, payload(layer)), layer });
    else if (free === undefined) return;
    else this.#takeOver(free, layer);
    this.#shown.add(layer.digest);
  }

  #takeOver(row: Row, layer: LayerProgress): void {
    this.#bars.log(layerLine(row.layer, CLEAR_REST));
    row.bar.start(layer.size, layer.done, payload(layer));
    row.layer = layer;
  }
}

function set(row: Row, layer: LayerProgress): void {
  row.layer = layer;
  row.bar.update(layer.done, payload(layer));
}

function finished(layer: LayerProgress): LayerProgress {
  return { ...layer, done: layer.size, state: 'done' };
}

function payload({ digest, done, size }: LayerProgress): object {
  return { name: shortDigest(digest), bytes: `${sizeText(done)} of ${sizeText(size)}` };
}
