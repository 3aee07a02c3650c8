import type { LayerProgress } from '../image-service/progress.js';
import { layerLine, type ProgressDisplay } from './layer-progress.js';

/** A line where a layer's state changes. */
export class ProgressLines implements ProgressDisplay {
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

  #write(layer: LayerProgress): void {
    this.#out.write(layerLine(layer));
  }
}
