import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { readImports, type Import } from './read-imports.js';

/** An import of another file of the project, by its path from the root. */
export interface LocalImport extends Import {
  readonly target: string;
}

export interface SourceFile {
  /** From the project's root, with `/`. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly LocalImport[];
}

/** Reads all TypeScript files below the folders that exist, with the imports which stay inside the project. */
export async function readTree(root: string, folders: readonly string[]): Promise<SourceFile[]> {
  const paths = (await Promise.all(folders.map((folder) => listSources(root, folder)))).flat().sort();
  return Promise.all(paths.map((path) => readSource(root, path)));
}

async function listSources(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) => posix.relative(root, posix.join(entry.parentPath, entry.name)));
}

async function readSource(root: string, path: string): Promise<SourceFile> {
  const text = await readFile(join(root, path), 'utf8');
  const imports = readImports(path, text).flatMap((found) =>
    found.specifier.startsWith('.') ? [{ ...found, target: resolveTarget(path, found.specifier) }] : [],
  );
  return { path, lines: text.split('\n').length - 1, imports };
}

/** `./x.js` in a source means x.ts; what the compiler does not write (generated .cjs) keeps its name. */
function resolveTarget(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.(m?)js$/, '.$1ts');
}
