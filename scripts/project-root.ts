import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory of package.json, from sources and from what tsc made of them alike. */
export const PROJECT_ROOT = findRoot(import.meta.dirname);

function findRoot(dir: string): string {
  if (existsSync(join(dir, 'package.json'))) return dir;
  return findRoot(dirname(dir));
}
