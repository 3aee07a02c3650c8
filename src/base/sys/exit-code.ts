import { openPidfd, type ProcessIdentity } from './process.js';
import { libcIoctl, raw } from './libc.js';

/** _IOWR(0xff, 11, struct pidfd_info), and the bit of its mask for what is known of the end (linux/pidfd.h, 6.15). */
const PIDFD_GET_INFO = 0xc040ff0b;
const PIDFD_INFO_EXIT = 8n;
const INFO_BYTES = 64;
/** The last of its fields: a status as wait(2) has it. */
const EXIT_CODE = 60;

/** Keeps hold of a process whose exit code somebody else is to be told. */
export interface ExitCode {
  /**
   * As shells have it, 128 and the signal where one ended it. `not-yet` before its parent has waited for it; undefined on
   * kernels that do not tell.
   */
  read(): number | 'not-yet' | undefined;
  close(): void;
}

/** The exit code of any process, by a descriptor of it that outlives it. Undefined for one that has ended already. */
export function holdExitCode(process: ProcessIdentity): ExitCode | undefined {
  const fd = openPidfd(process);
  if (fd === undefined) return undefined;
  return {
    read: () => exitCodeIn(fd),
    close: () => void raw.close(fd),
  };
}

function exitCodeIn(pidfd: number): ReturnType<ExitCode['read']> {
  const info = Buffer.alloc(INFO_BYTES);
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
  if ((libcIoctl(pidfd, PIDFD_GET_INFO, info) as number) < 0) return undefined;
  if ((info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n) return 'not-yet';
  const status = info.readInt32LE(EXIT_CODE);
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
