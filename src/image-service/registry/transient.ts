import { GantryError, type ErrorCode } from '../../base/errors.js';

export interface TransientOptions {
  readonly cause?: unknown;
  /** What the server asked to wait. */
  readonly retryAfterMs?: number;
}

/** An error that another try, a little later, may not meet. */
export function transient(code: ErrorCode, message: string, options: TransientOptions = {}): GantryError {
  return Object.assign(new GantryError(code, message, options.cause), { retryAfterMs: options.retryAfterMs ?? 0 });
}

/** Milliseconds to wait at least before the next try; undefined for an error that would only come again. */
export function retryAfterOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { retryAfterMs, cause } = error as { retryAfterMs?: unknown; cause?: unknown };
  return typeof retryAfterMs === 'number' ? retryAfterMs : retryAfterOf(cause);
}

/** The header's seconds or date in milliseconds from now (RFC 9110, 10.2.3); 0 where it says nothing. */
export function parseRetryAfter(header: unknown, now = Date.now()): number {
  if (typeof header !== 'string') return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/** True for the status of an answer that another try may not get: too busy, or broken for a moment. */
export function isPassing(status: number): boolean {
  return [408, 429, 500, 502, 503, 504].includes(status);
}
