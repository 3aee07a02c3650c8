import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

let collect: Collect | undefined;

/**
 * Frees young garbage of the calling thread now: some tenths of a millisecond where the heap is small. V8 counts the memory behind buffers late, up to 32 MB a thread, and
 * by then many buffers are old, for which the whole heap must be marked.
 */
export function collectYoungGarbage(): void {
  collect ??= exposed();
  collect({ type: 'minor' });
}

/** Frees all garbage of the calling thread now: some tens of milliseconds. */
export function collectGarbage(): void {
  collect ??= exposed();
  collect({ type: 'major' });
}

/**
 * Node gives it to scripts only by a flag for the whole process; a context that is made while the flag is set has it. The flag
 * stays: another thread may be between the two steps.
 */
function exposed(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
