import { FairSlots } from '../base/fair-slots.js';

/** A create takes a second or two where many are made; after this it waits: for a program of the image, a volume, a hook. */
const WORK_MS = 10_000;
/** So many times the creates that work may be under way: each is a monitor and a runtime that take little but their memory. */
const WAITING = 8;

/** Bounds the creates of a runtime that run side by side, pod by pod: each costs the node a burst of work, and a pod may hold its own up. */
export function createSlots(limit: number): FairSlots {
  return new FairSlots({ limit, most: limit * WAITING, workMs: WORK_MS });
}
