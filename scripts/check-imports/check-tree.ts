import { posix } from 'node:path';

import { findCycles } from './find-cycles.js';
import type { LocalImport, SourceFile } from './read-tree.js';
import { GENERATED, roomOf, type Room } from './rooms.js';

export const MAX_LINES = 400;

/** All breaches of the rules, as `file:line: what`. */
export function checkTree(files: readonly SourceFile[]): string[] {
  return [...files.flatMap(checkFile), ...findCycles(files).map(describeCycle)];
}

function checkFile(file: SourceFile): string[] {
  const long = file.lines > MAX_LINES ? [`${file.path}:1: ${file.lines} lines, the limit is ${MAX_LINES}`] : [];
  const room = roomOf(file.path);
  if (room === undefined)
    return [...long, `${file.path}:1: no rule for this folder, see scripts/check-imports/rooms.ts`];
  const breaches = file.imports.flatMap((found) => {
    const wrong = checkImport(file.path, room, found);
    return wrong === undefined ? [] : [`${file.path}:${found.line}: ${wrong}`];
  });
  return [...long, ...breaches];
}

function checkImport(path: string, room: Room, { target, kind }: LocalImport): string | undefined {
  if (target.startsWith(GENERATED)) {
    // A test may hold what we write against the protocol's own classes.
    const allowed = kind === 'type' || room.protobuf === true || isForTests(path);
    return allowed ? undefined : `${room.files} may import generated protobuf code as types only`;
  }
  if (target === 'src/main.ts') return 'nothing imports src/main.ts';
  if (isForTests(target) && !isForTests(path)) return `${target} is for tests only`;
  if (isFixture(target) && !isFixture(path) && posix.dirname(posix.dirname(target)) !== posix.dirname(path)) {
    return `${target} belongs to the tests beside it`;
  }
  const theirs = roomOf(target);
  if (theirs === undefined) return `${target} is in no room`;
  const allowed = theirs === room || room.may.includes(theirs.files);
  return allowed ? undefined : `${room.files} must not import from ${theirs.files} (${target})`;
}

/**
 * Tests, end to end too, their fixtures, and `testing.ts`, which is what several tests of a folder share; and benchmarks, which
 * run on the end-to-end tests' harness.
 */
function isForTests(path: string): boolean {
  return (
    /^(?:e2e|bench)\//.test(path) ||
    path.endsWith('.test.ts') ||
    posix.basename(path) === 'testing.ts' ||
    isFixture(path)
  );
}

function isFixture(path: string): boolean {
  return path.includes('/fixtures/');
}

function describeCycle(cycle: readonly string[]): string {
  return `${cycle[0] ?? ''}:1: import cycle: ${[...cycle, cycle[0]].join(' → ')}`;
}
