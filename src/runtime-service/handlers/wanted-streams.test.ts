import { describe, expect, it } from '@jest/globals';

import { wantedStreams } from './wanted-streams.js';

const NONE = { stdin: false, stdout: false, stderr: false, tty: false };

describe('the streams of Exec and Attach', () => {
  it.each([
    { stdin: true },
    { stdout: true },
    { stderr: true },
    { stdout: true, stderr: true },
    { stdin: true, tty: true },
  ])('are as asked: %j', (asked) => {
    expect(wantedStreams({ ...NONE, ...asked })).toEqual({ ...NONE, ...asked });
  });

  it.each([{}, { tty: true }, { tty: true, stderr: true }, { tty: true, stdout: true, stderr: true }])(
    'are refused: %j',
    (asked) => {
      const refused = (): unknown => wantedStreams({ ...NONE, ...asked });
      expect(refused).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    },
  );
});
