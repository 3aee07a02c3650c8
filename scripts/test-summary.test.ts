import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { run } from '../src/base/spawn.js';
import { specsOf } from './test-reports.js';

const JEST = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 1,
  numTodoTests: 1,
  numRuntimeErrorTestSuites: 0,
};

function spec(State: string, fields: object = {}): object {
  return { LeafNodeType: 'It', LeafNodeText: 'works', ContainerHierarchyTexts: ['[k8s.io] Pod'], State, ...fields };
}

describe('test-summary', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-summary-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  async function summary(reports: Record<string, unknown>): Promise<{ code: number; said: string }> {
    for (const [name, report] of Object.entries(reports)) await writeFile(join(dir, name), JSON.stringify(report));
    const script = join(import.meta.dirname, 'test-summary.js');
    const { exitCode, stdout, stderr } = await run(process.execPath, [script, dir], { timeoutMs: 10_000 });
    return { code: exitCode, said: stdout.toString() + stderr.toString() };
  }

  it('adds the reports of jest and critest', async () => {
    const critest = [{ SpecReports: [spec('passed'), spec('skipped', { Failure: { Message: 'no SELinux' } })] }];
    expect(await summary({ 'unit.json': JEST, 'critest.json': critest, 'notes.txt': 'no report' })).toEqual({
      code: 0,
      said: '6 passed, 0 failed, 3 skipped\n',
    });
  });

  it.each([
    ['a failed test', { ...JEST, numFailedTests: 1 }],
    ['a suite that did not run', { ...JEST, numRuntimeErrorTestSuites: 1 }],
    ['a failed spec', [{ SpecReports: [spec('panicked'), spec('passed')] }]],
    ['a failed set-up', [{ SpecReports: [spec('failed', { LeafNodeType: 'BeforeSuite' }), spec('passed')] }]],
  ])('fails for %s', async (_, report) => {
    const { code, said } = await summary({ 'a.json': report });
    expect(code).toBe(1);
    expect(said).toMatch(/^\d passed, 1 failed, \d skipped\n$/);
  });

  it('fails when nothing ran', async () => {
    expect(await summary({})).toEqual({ code: 1, said: '0 passed, 0 failed, 0 skipped\n' });
  });

  it('names a file that is no report', async () => {
    const { code, said } = await summary({ 'odd.json': { a: 1 } });
    expect(code).toBe(1);
    expect(said).toContain('odd.json');
  });

  it('leaves out what was not selected', () => {
    const setUp = spec('passed', { LeafNodeType: 'BeforeSuite', LeafNodeText: '', ContainerHierarchyTexts: null });
    const report = [{ SpecReports: [setUp, spec('skipped'), spec('pending'), spec('passed')] }];
    expect(specsOf(report)).toEqual([{ name: 'Pod works', outcome: 'passed', message: '' }]);
  });
});
