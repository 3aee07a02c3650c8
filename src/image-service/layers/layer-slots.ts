import { FairSlots, type Slot } from '../../base/fair-slots.js';

/** A layer of which fewer bytes come in that time waits for its registry, or for a layer below. */
const WORK_MS = 2_000;
const WORK_BYTES = 256 << 10;
/** Each layer under way has a thread, which takes some megabytes. */
const WAITING = 6;

/**
 * The layers that are downloaded and unpacked side by side; their owners are pulls. One pull has `maxParallel` of them at most, and there is one more, so
 * that the first layer of a pull does not wait for another's.
 */
export function layerSlots(maxParallel: number): FairSlots {
  const limit = maxParallel + 1;
  return new FairSlots({ limit, most: limit + WAITING, workMs: WORK_MS });
}

/** Says of a slot that work goes on in it while enough bytes come. @returns to be told of bytes */
export function workMeter(slot: Slot | undefined): (bytes: number) => void {
  let left = WORK_BYTES;
  return (bytes) => {
    left -= bytes;
    if (left > 0) return;
    left = WORK_BYTES;
    slot?.worked();
  };
}
