import { describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import type { OutputTaker } from './command-output.js';
import { MAX_EXEC_OUTPUT, ExecOutput } from './exec-output.js';

const LIMIT = 10;

class Source {
  take: OutputTaker = () => false;

  forward(take: OutputTaker): void {
    this.take = take;
  }
}

/** What is kept of two texts. */
function kept(stdout: string, stderr: string): [string, string] {
  const output = new ExecOutput(LIMIT);
  const [out, err] = [new Source(), new Source()];
  output.collect({ stdout: out, stderr: err });
  out.take(Buffer.from(stdout));
  err.take(Buffer.from(stderr));
  const result = output.result();
  return [result.stdout.toString(), result.stderr.toString()];
}

const notice = (bytes: number): string => `\n[output cut after ${bytes} bytes]\n`;

describe('the output of a command', () => {
  it.each([
    ['', ''],
    ['0123456789', ''],
    ['', '0123456789'],
    ['01234', 'abcde'],
    ['0123456', 'abc'],
  ])('is whole where it fits: %j and %j', (stdout, stderr) => {
    expect(kept(stdout, stderr)).toEqual([stdout, stderr]);
  });

  it.each([
    ['0123456789x', '', `0123456789${notice(10)}`, ''],
    ['0123456789', 'abc', `0123456${notice(7)}`, 'abc'],
    ['012', 'abcdefghijk', '012', `abcdefg${notice(7)}`],
    ['0123456789', 'abcdefghij', `01234${notice(5)}`, `abcde${notice(5)}`],
    ['0123456789xyz', 'abcdef', `01234${notice(5)}`, `abcde${notice(5)}`],
  ])('is cut where it does not fit, and says so: %j and %j', (stdout, stderr, first, second) => {
    expect(kept(stdout, stderr)).toEqual([first, second]);
  });

  it('fits into one answer to a client, however long', () => {
    const output = new ExecOutput();
    const [stdout, stderr] = [new Source(), new Source()];
    output.collect({ stdout, stderr });
    for (const stream of [stdout, stderr]) stream.take(Buffer.alloc(MAX_EXEC_OUTPUT + 1, 'x'));
    const answer = { ...output.result(), exitCode: -1 };
    expect(runtime.v1.ExecSyncResponse.encode(answer).finish().length).toBeLessThanOrEqual(16 * 1024 * 1024);
  });
});
