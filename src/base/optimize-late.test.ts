import { spawnSync } from 'node:child_process';

import { describe, expect, it } from '@jest/globals';

const MODULE = new URL('./optimize-late.js', import.meta.url).href;
/** Runs for long enough to be optimized as usual, but not for six times as long. */
const PROGRAM = `
  const { optimizeLate } = await import('${MODULE}');
  if (process.argv[1] === 'late') optimizeLate();
  const f = (n) => { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; };
  for (let i = 0; i < 1000; i++) f(10);
  await new Promise((resolve) => setTimeout(resolve, 200));
  f(10);
  process.stdout.write(String((%GetOptimizationStatus(f) & 64) !== 0));
`;

function isOptimized(how: string): { stdout: string; stderr: string } {
  const flags = ['--allow-natives-syntax', '--no-maglev', '--input-type=module'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', PROGRAM, how], { encoding: 'utf8' });
  return { stdout, stderr };
}

describe('optimizeLate', () => {
  it('leaves alone what does not run for long, by a flag that this V8 knows', () => {
    expect(isOptimized('as usual')).toEqual({ stdout: 'true', stderr: '' });
    expect(isOptimized('late')).toEqual({ stdout: 'false', stderr: '' });
  });
});
