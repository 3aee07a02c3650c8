import { status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';

import { callError } from './call-error.js';

const say = (code: status, details: string): string =>
  callError(Object.assign(new Error(), { code, details }), '/a.sock').message;

describe('callError', () => {
  it.each([
    [status.UNAVAILABLE, 'Connection dropped'],
    [status.INTERNAL, 'Received RST_STREAM with code 0 (Call ended without gRPC status)'],
    [status.INTERNAL, 'Received RST_STREAM with code 2 triggered by internal client error: Session closed'],
    [status.UNAVAILABLE, 'read ECONNRESET'],
    [status.UNAVAILABLE, 'write EPIPE'],
  ])('knows by %s %j that the daemon ended', (code, details) => {
    expect(say(code, details)).toBe('the daemon at /a.sock ended before it answered');
  });

  it('says why no daemon answers', () => {
    const details = 'No connection established. Last error: Error: connect EACCES /a.sock. Resolution note: ';
    expect(say(status.UNAVAILABLE, details)).toBe('no daemon answers at /a.sock: connect EACCES /a.sock');
  });

  it("leaves the daemon's own words, though they speak of connections", () => {
    const details = 'pull "x": Connection dropped: read ECONNRESET';
    expect(say(status.UNAVAILABLE, details)).toBe(details);
  });

  it('has a word for a status without any', () => {
    expect(say(status.DEADLINE_EXCEEDED, '')).toBe('DEADLINE_EXCEEDED');
  });
});
