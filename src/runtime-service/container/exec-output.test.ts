import { describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import type { OutputTaker } from './command-output.js';
import { MAX_EXEC_OUTPUT, ExecOutput } from './exec-output.js';
import { OutputBudget } from './output-budget.js';

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

describe('the output of many commands', () => {
  const MIB = 1024 * 1024;

  /** A command that has written as much as asked for on standard output. */
  function greedy(budget: OutputBudget, bytes: number) {
    const output = new ExecOutput(MAX_EXEC_OUTPUT, budget);
    const [stdout, stderr] = [new Source(), new Source()];
    output.collect({ stdout, stderr });
    const write = (): void => void stdout.take(Buffer.alloc(64 * 1024, 'x'));
    for (let n = 0; n < bytes; n += 64 * 1024) write();
    return { output, stderr };
  }

  it('is whole for one alone', () => {
    const { output } = greedy(new OutputBudget(64 * MIB), 15 * MIB);
    expect(output.result().stdout.length).toBe(15 * MIB);
  });

  it('stays within the budget, and leaves something for each, also for those that come late', () => {
    const budget = new OutputBudget(64 * MIB);
    const hogs = Array.from({ length: 50 }, () => greedy(budget, 20 * MIB));
    expect(budget.free).toBeGreaterThan(0);
    for (const { output } of hogs)
      expect(output.result().stdout.toString('latin1', -60)).toContain('[output cut after');
    const late = greedy(budget, 64 * 1024);
    expect(late.output.result().stdout.length).toBe(64 * 1024);
    late.output.close();
    for (const { output } of hogs) output.close();
    expect(budget.free).toBe(64 * MIB);
  });

  it('is shared in equal parts by those that go on together', () => {
    const budget = new OutputBudget(64 * MIB);
    const all = Array.from({ length: 7 }, () => {
      const output = new ExecOutput(MAX_EXEC_OUTPUT, budget);
      const [stdout, stderr] = [new Source(), new Source()];
      output.collect({ stdout, stderr });
      return { output, stdout };
    });
    for (let n = 0; n < 512; n++) for (const { stdout } of all) stdout.take(Buffer.alloc(64 * 1024));
    const lengths = all.map(({ output }) => output.result().stdout.length);
    expect(Math.min(...lengths)).toBeGreaterThan(7 * MIB);
    expect(Math.max(...lengths)).toBeLessThan(9 * MIB);
  });

  it('keeps a word on one stream beside a flood on the other', () => {
    const { output, stderr } = greedy(new OutputBudget(0), 10 * MIB);
    stderr.take(Buffer.from('why'));
    const { stdout, stderr: said } = output.result();
    expect(said.toString()).toBe('why');
    expect(stdout.length).toBeLessThan(64 * 1024 + 100);
  });
});
