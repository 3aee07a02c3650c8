import type { ProgressDisplay } from './layer-progress.js';
import { ProgressBars } from './progress-bars.js';
import { ProgressLines } from './progress-lines.js';

/** Bars on a terminal, lines anywhere else. */
export function progressDisplay(out: NodeJS.WriteStream): ProgressDisplay {
  return out.isTTY ? new ProgressBars(out) : new ProgressLines(out);
}
