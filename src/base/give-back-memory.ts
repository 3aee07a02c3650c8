import { collectGarbage } from './collect-garbage.js';
import { libcMallocTrim } from './sys/libc.js';

/** How much more than the last time must be there for it to be worth the while. */
const WORTH_BYTES = 32 * 1024 * 1024;
/** How long it is waited for more work of the kind. */
const QUIET_MS = 1_000;

let timer: NodeJS.Timeout | undefined;
let least = process.memoryUsage.rss();

/**
 * To be called after work on many bytes. When none of the kind has come for a moment, what that left is given back to the system: V8 has no reason to look
 * for garbage in a process that idles, and malloc keeps what is freed in its middle. It takes some tens of milliseconds, so it is done only
 * where the process has really grown.
 */
export function giveBackMemory(): void {
  if (timer !== undefined) {
    timer.refresh();
    return;
  }
  timer = setTimeout(giveBack, QUIET_MS);
  timer.unref();
}

function giveBack(): void {
  timer = undefined;
  if (process.memoryUsage.rss() - least < WORTH_BYTES) return;
  collectGarbage();
  libcMallocTrim(0);
  least = process.memoryUsage.rss();
}
