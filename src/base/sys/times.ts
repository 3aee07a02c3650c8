import { display, type Bytes } from './calls.js';
import { AT_FDCWD, check, cPath, libcFutimens, libcUtimensat } from './libc.js';

/** Sets both times of the path itself, in nanoseconds since the epoch, which `node:fs` rounds. */
export function lutimensSync(path: Bytes, ns: bigint): void {
  const AT_SYMLINK_NOFOLLOW = 0x100;
  const result = libcUtimensat(AT_FDCWD, cPath(path), timespecs(ns), AT_SYMLINK_NOFOLLOW) as number;
  check(result, 'utimensat', display(path));
}

/** The same for an open file. */
export function futimensSync(fd: number, ns: bigint): void {
  check(libcFutimens(fd, timespecs(ns)) as number, 'futimens', String(fd));
}

let last: { readonly ns: bigint; readonly times: Buffer } | undefined;

/** The files of a layer often have the same time. */
function timespecs(ns: bigint): Buffer {
  if (last?.ns !== ns) last = { ns, times: makeTimespecs(ns) };
  return last.times;
}

/** struct timespec { long seconds, nanoseconds } for access and modification; nanoseconds count forward before 1970, too. */
function makeTimespecs(ns: bigint): Buffer {
  const BILLION = 1_000_000_000n;
  const rest = ((ns % BILLION) + BILLION) % BILLION;
  const times = Buffer.alloc(32);
  for (const start of [0, 16]) {
    times.writeBigInt64LE((ns - rest) / BILLION, start);
    times.writeBigInt64LE(rest, start + 8);
  }
  return times;
}
