import type { LayerProgress } from '../image-service/progress.js';
import { sizeText } from './commands/image-summary.js';

/** Shows people how far each layer is; results go elsewhere, so that scripts need not tell them apart. */
export interface ProgressDisplay {
  update(layers: readonly LayerProgress[]): void;
  /** Nothing more comes. */
  end(succeeded: boolean): void;
}

export const shortDigest = (digest: string): string => digest.slice(digest.indexOf(':') + 1).slice(0, 12);

export function layerLine({ digest, state, size }: LayerProgress, end = ''): string {
  return `${shortDigest(digest)}: ${state}, ${sizeText(size)}${end}\n`;
}
