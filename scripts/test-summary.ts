/**
 * Adds up the reports of a test run and prints `N passed, N failed, N skipped` as the last line. Exits with 1 when a
 * test failed or none ran. Usage: test-summary.js [DIRECTORY], by default build/results.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { wrapError } from '../src/base/errors.js';
import { addCounts, countReport, RESULTS, type Counts } from './test-reports.js';

/** Counts all reports of a directory. @throws data-loss naming a file that is no report. */
export async function summarize(dir: string): Promise<Counts> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  return addCounts(await Promise.all(names.map((name) => countFile(join(dir, name)))));
}

async function countFile(path: string): Promise<Counts> {
  try {
    return countReport(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw wrapError(error, `test report ${path}`, 'data-loss');
  }
}

if (process.argv[1] === import.meta.filename) {
  const { passed, failed, skipped } = await summarize(process.argv[2] ?? RESULTS);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
