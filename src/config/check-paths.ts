import { access, constants, stat } from 'node:fs/promises';

import { describeError, errnoOf } from '../base/errors.js';
import type { Existence } from './option.js';
import type { Problem } from './problem.js';
import { textValue, type Resolved, type ResolvedValues } from './resolve-values.js';

/** Checks that the files and programs are there which the table says must be; `skip` are keys reported before. */
export async function checkPaths(values: ResolvedValues, skip: ReadonlySet<string>): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [key, resolved] of values) {
    const existence = skip.has(key) ? undefined : requiredOf(values, resolved);
    const wrong = existence === undefined ? undefined : await checkPath(String(resolved.value), existence);
    if (wrong !== undefined) problems.push({ ...resolved.origin, key, message: wrong });
  }
  return problems;
}

/** What must be at the option's path here and now; undefined where nothing need be. */
function requiredOf(values: ResolvedValues, { option, value, origin }: Resolved): Existence | undefined {
  if (!('exists' in option) || value === '') return undefined;
  if (option.unless !== undefined && textValue(values, option.unless) !== '') return undefined;
  if (option.exists === 'file-if-set' && origin === undefined) return undefined;
  return option.exists;
}

async function checkPath(path: string, existence: Existence): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) return `${path} is not a file`;
    await access(path, existence === 'executable' ? constants.X_OK : constants.R_OK);
    return undefined;
  } catch (error) {
    return explain(path, existence, error);
  }
}

function explain(path: string, existence: Existence, error: unknown): string {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return `${path} does not exist`;
  if (errno === 'EACCES' && existence === 'executable') return `${path} is not executable`;
  return `${path} cannot be used: ${describeError(error)}`;
}
