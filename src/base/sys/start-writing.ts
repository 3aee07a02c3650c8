import { check, libcSyncFileRange } from './libc.js';

const SYNC_FILE_RANGE_WRITE = 2;

/** Has the kernel begin to write a part of a file to the disk, in bytes; waits for nothing, and makes nothing durable (sync_file_range(2)). */
export function startWritingSync(fd: number, start: number, length: number): void {
  check(libcSyncFileRange(fd, start, length, SYNC_FILE_RANGE_WRITE) as number, 'sync_file_range', String(fd));
}
