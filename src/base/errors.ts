import { cut } from './cut.js';

/**
 * The closed set of error codes. They are gRPC's canonical codes by meaning, and `server/codes.ts` maps each
 * to its number: a code that is missing there does not compile. There is no "unknown": an error without a code
 * is a bug, and is reported as `internal`. The last two are our own: a container whose process cannot be what it was asked to be, which is for
 * StartContainer to say; and kubelet's name for an image that the signature policy refuses.
 */
export const ERROR_CODES = [
  'invalid-argument',
  'not-found',
  'already-exists',
  'failed-precondition',
  'permission-denied',
  'unauthenticated',
  'resource-exhausted',
  'deadline-exceeded',
  'cancelled',
  'unavailable',
  'unimplemented',
  'data-loss',
  'internal',
  'unstartable',
  'signature-validation-failed',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Of a message, with all its causes or without: it quotes requests, images and what children said, which may be as long as they like. */
const MAX_MESSAGE = 8 * 1024;

/**
 * An error with a code. The message is lower case and names the object by its id or path; the reason below it
 * is the `cause`. A message that is too long loses its middle. Test the code with {@link hasCode}, never `instanceof`.
 */
export class GantryError extends Error {
  override readonly name = 'GantryError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(cut(message, MAX_MESSAGE), cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Makes constructors of one code, so that call sites read `throw notFound('container "x"')`. */
const maker =
  (code: ErrorCode) =>
  (message: string, cause?: unknown): GantryError =>
    new GantryError(code, message, cause);

export const invalidArgument = maker('invalid-argument');
export const notFound = maker('not-found');
export const alreadyExists = maker('already-exists');
export const failedPrecondition = maker('failed-precondition');
export const resourceExhausted = maker('resource-exhausted');
export const deadlineExceeded = maker('deadline-exceeded');
export const cancelled = maker('cancelled');
export const unavailable = maker('unavailable');
export const unimplemented = maker('unimplemented');
export const dataLoss = maker('data-loss');
export const internal = maker('internal');
export const permissionDenied = maker('permission-denied');
export const unauthenticated = maker('unauthenticated');
export const unstartable = maker('unstartable');
export const signatureRefused = maker('signature-validation-failed');

/** The code of an error that carries one, else undefined. */
export function codeOf(error: unknown): ErrorCode | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  const { code } = error;
  return ERROR_CODES.find((known) => known === code);
}

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return codeOf(error) === code;
}

/** The errno name (`ENOENT`) of an error from Node or from `base/sys`, else undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** The message of anything thrown, followed by the messages of its causes: `create container "a": no such file`. Too long, it loses its middle. */
export function describeError(error: unknown): string {
  if (!isErrorLike(error)) return cut(String(error), MAX_MESSAGE);
  const message = cut(error.message, MAX_MESSAGE);
  if (error.cause === undefined) return message;
  const cause = describeError(error.cause);
  return message.includes(cause) ? message : cut(`${message}: ${cause}`, MAX_MESSAGE);
}

/** Wraps an error with what was being done, keeping its code; an error without one gets `fallback`. */
export function wrapError(error: unknown, message: string, fallback: ErrorCode = 'internal'): GantryError {
  return new GantryError(codeFor(error, fallback), message, error);
}

/** The code that an error carries, or stands for: a full disk is no bug of ours, and no more are descriptors that have run out. */
export function codeFor(error: unknown, fallback: ErrorCode = 'internal'): ErrorCode {
  return codeOf(error) ?? (isFull(error) || isScarce(error) ? 'resource-exhausted' : fallback);
}

/** True where this process or the node has no more descriptors, memory or processes. */
function isScarce(error: unknown): boolean {
  return ['EMFILE', 'ENFILE', 'ENOMEM'].includes(errnoOf(error) ?? '');
}

/** True where the disk has no room, or not for this user. */
export function isFull(error: unknown): boolean {
  return errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT';
}

/** True for errors of another realm too (worker threads, jest's sandboxes), where `instanceof Error` is false. */
function isErrorLike(value: unknown): value is { message: string; cause?: unknown } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}
