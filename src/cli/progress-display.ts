import { MultiBar, type SingleBar } from 'cli-progress';

import type { LayerProgress } from '../image-service/progress.js';
import { sizeText } from './commands/image-summary.js';

/** Shows people how far each layer is; results go elsewhere, so that scripts need not tell them apart. */
export interface ProgressDisplay {
  update(layers: readonly LayerProgress[]): void;
  /** Nothing more comes. */
  end(succeeded: boolean): void;
}

/** Bars on a terminal, lines anywhere else. */
export function progressDisplay(out: NodeJS.WriteStream): ProgressDisplay {
  return out.isTTY ? new Bars(out) : new Lines(out);
}

const shortDigest = (digest: string): string => digest.slice(digest.indexOf(':') + 1).slice(0, 12);

class Bars implements ProgressDisplay {
  readonly #bars: MultiBar;
  readonly #byDigest = new Map<string, { readonly bar: SingleBar; readonly size: number }>();

  constructor(stream: NodeJS.WriteStream) {
    const format = '{name} [{bar}] {percentage}% {bytes}';
    this.#bars = new MultiBar({
      stream,
      format,
      hideCursor: true,
      clearOnComplete: false,
      barsize: 30,
      emptyOnZero: true,
    });
  }

  update(layers: readonly LayerProgress[]): void {
    for (const { digest, done, size } of layers) {
      const name = shortDigest(digest);
      const bytes = `${sizeText(done)} of ${sizeText(size)}`;
      const known = this.#byDigest.get(digest);
      if (known === undefined)
        this.#byDigest.set(digest, { bar: this.#bars.create(size, done, { name, bytes }), size });
      else known.bar.update(done, { bytes });
    }
  }

  end(succeeded: boolean): void {
    for (const { bar, size } of succeeded ? this.#byDigest.values() : [])
      bar.update(size, { bytes: `${sizeText(size)} of ${sizeText(size)}` });
    this.#bars.stop();
  }
}

/** A line where a layer's state changes. */
class Lines implements ProgressDisplay {
  readonly #out: NodeJS.WriteStream;
  readonly #states = new Map<string, LayerProgress>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  update(layers: readonly LayerProgress[]): void {
    for (const layer of layers) {
      if (this.#states.get(layer.digest)?.state === layer.state) continue;
      this.#states.set(layer.digest, layer);
      this.#write(layer);
    }
  }

  end(succeeded: boolean): void {
    for (const layer of succeeded ? this.#states.values() : [])
      if (layer.state !== 'done') this.#write({ ...layer, state: 'done' });
  }

  #write({ digest, state, size }: LayerProgress): void {
    this.#out.write(`${shortDigest(digest)}: ${state}, ${sizeText(size)}\n`);
  }
}
