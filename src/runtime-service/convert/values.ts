import Long from 'long';

import { invalidArgument } from '../../base/errors.js';

/** An int64 of a request; one that a number cannot hold exactly is refused. */
export function toNumber(value: Long | number | null | undefined, field: string): number {
  if (value === null || value === undefined) return 0;
  const number = typeof value === 'number' ? value : value.toNumber();
  if (!Number.isSafeInteger(number)) throw invalidArgument(`${field} is out of range: ${String(value)}`);
  return number;
}

/**
 * A limit in bytes; -1 for none. What a number cannot hold exactly is none, too: no machine has as much, and kubelet sends
 * what cgroup v1 calls unlimited (2^63 less a page).
 */
export function toBytes(value: Long | number | null | undefined): number {
  const number = Number(value?.toString() ?? 0);
  return number > Number.MAX_SAFE_INTEGER ? -1 : number;
}

/** Nanoseconds as stored, for an int64 of a response; absent is 0. */
export function toTimestamp(nanoseconds: string | undefined): Long {
  return nanoseconds === undefined ? Long.ZERO : Long.fromString(nanoseconds);
}

/** A field that must be there. @throws invalid-argument naming it. */
export function required<T>(value: T | null | undefined, field: string): T {
  if (value === null || value === undefined || value === '') throw invalidArgument(`${field} is missing`);
  return value;
}

/** No name of Kubernetes' is a quarter as long. */
const MAX_METADATA = 1_024;

/**
 * A name, namespace or uid: it goes into environments and command lines, of which the kernel takes 128 KiB a string. What
 * a network was told to add by a longer one, it could never be told to take away.
 */
export function metadataText(value: string | null | undefined, field: string): string {
  const text = required(value, field);
  const length = Buffer.byteLength(text);
  if (length > MAX_METADATA) throw invalidArgument(`${field} has ${length} bytes, more than ${MAX_METADATA}`);
  return text;
}

/** Maps an enum's number; one that this version does not know is refused. */
export function fromEnum<T>(table: Readonly<Record<number, T>>, value: number | null | undefined, field: string): T {
  const found = table[value ?? 0];
  if (found === undefined) throw invalidArgument(`${field} has the unknown value ${String(value)}`);
  return found;
}

/** PATH_MAX and NAME_MAX, in bytes. */
const MAX_PATH = 4_095;
const MAX_NAME = 255;

/** An absolute path that the kernel takes: without NUL, and not too long, nor any name in it. */
export function absolutePath(value: string | null | undefined, field: string): string {
  const path = required(value, field);
  if (!path.startsWith('/') || path.includes('\0'))
    throw invalidArgument(`${field} is not an absolute path: "${path}"`);
  if (Buffer.byteLength(path) > MAX_PATH || path.split('/').some((name) => Buffer.byteLength(name) > MAX_NAME))
    throw invalidArgument(`${field} is longer than a path may be: "${path}"`);
  return path;
}

/** True where every wished label is there with that value. */
export function matchesLabels(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>> | null | undefined,
): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);
}
