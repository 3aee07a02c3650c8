import { codeFor, describeError, GantryError, type ErrorCode } from '../../base/errors.js';
import { retryAfterOf, transient } from '../registry/transient.js';

/** An error on its way between threads, where classes and causes are lost. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

export function toMessage(error: unknown): ErrorMessage {
  return { code: codeFor(error), message: describeError(error), retryAfterMs: retryAfterOf(error) };
}

export function fromMessage({ code, message, retryAfterMs }: ErrorMessage): GantryError {
  return retryAfterMs === undefined ? new GantryError(code, message) : transient(code, message, { retryAfterMs });
}
