const originNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/**
 * Wall-clock nanoseconds since the epoch, as CRI has its timestamps, in decimal: JSON keeps it exact and
 * protobufjs takes it for an int64. Never the same twice in a row, so that lists sort as things were made.
 */
export function nowNs(): string {
  const wall = BigInt(Date.now()) * 1_000_000n;
  const fine = originNs + process.hrtime.bigint();
  const drift = wall > fine ? wall - fine : fine - wall;
  // The monotonic clock gives the fraction; the wall clock wins when it was set meanwhile.
  const now = drift > 2_000_000n ? wall : fine;
  last = now > last || last - now > 1_000_000_000n ? now : last + 1n;
  return last.toString();
}

let last = 0n;

/** Orders times of {@link nowNs}, the earliest first. */
export function compareTimes(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : Number(difference > 0n);
}
