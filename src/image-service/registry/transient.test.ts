import { describe, expect, it } from '@jest/globals';

import { unavailable, wrapError } from '../../base/errors.js';
import { isPassing, parseRetryAfter, retryAfterOf, transient } from './transient.js';

describe('transient errors', () => {
  it('are known through what wraps them', () => {
    const error = transient('unavailable', 'busy', { retryAfterMs: 7 });
    expect(retryAfterOf(wrapError(wrapError(error, 'layer'), 'pull'))).toBe(7);
    expect(retryAfterOf(transient('unavailable', 'broke'))).toBe(0);
    expect([retryAfterOf(unavailable('gone')), retryAfterOf(undefined), retryAfterOf('x')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('may come with Retry-After, as seconds or as a date', () => {
    expect(parseRetryAfter('120')).toBe(120_000);
    expect(parseRetryAfter('Wed, 21 Oct 2015 07:28:10 GMT', Date.UTC(2015, 9, 21, 7, 28))).toBe(10_000);
    expect(parseRetryAfter('Wed, 21 Oct 2015 07:28:10 GMT')).toBe(0);
    expect(['soon', undefined, '-3'].map((header) => parseRetryAfter(header, Date.now() + 1e12))).toEqual([0, 0, 0]);
  });

  it('are answers that may be better next time', () => {
    expect([429, 500, 503].every(isPassing)).toBe(true);
    expect([200, 401, 404, 501].some(isPassing)).toBe(false);
  });
});
