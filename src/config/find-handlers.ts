import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

import type { Settings } from './collect-settings.js';
import { BUILT_IN_HANDLER, HANDLERS_KEY } from './options.js';
import type { Problem } from './problem.js';

/** Where the program of a handler without a path is looked for. */
export const PROGRAM_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export interface FoundHandlers {
  /** The program of each handler that is configured, is the default, or is runc and there. */
  readonly programs: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Finds the handlers and their programs: the configured path, else the program of the handler's name. */
export async function findHandlers(settings: Settings): Promise<FoundHandlers> {
  const needed = new Set([defaultHandlerOf(settings), ...settings.handlers.keys()]);
  const programs = new Map<string, string>();
  const problems: Problem[] = [];
  for (const name of new Set([BUILT_IN_HANDLER, ...needed])) {
    const program = configuredPath(settings, name) ?? (await findProgram(name));
    if (program !== undefined) programs.set(name, program);
    else if (needed.has(name)) problems.push(missing(settings, name));
  }
  return { programs, problems };
}

/** The configured path; empty where the one in the file was refused, which has been reported. */
function configuredPath(settings: Settings, name: string): string | undefined {
  const key = `${HANDLERS_KEY}.${name}.path`;
  const refused = settings.problems.some((problem) => problem.key === key);
  const value = settings.values.get(key)?.value;
  return value === undefined ? (refused ? '' : undefined) : String(value);
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of PROGRAM_DIRS) {
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

function missing(settings: Settings, name: string): Problem {
  const origin = settings.handlers.get(name) ?? settings.values.get('runtime.default_handler')?.origin;
  const message = `not set, and there is no program "${name}" in ${PROGRAM_DIRS.join(', ')}`;
  return { ...origin, key: `${HANDLERS_KEY}.${name}.path`, message };
}

function defaultHandlerOf(settings: Settings): string {
  return String(settings.values.get('runtime.default_handler')?.value ?? BUILT_IN_HANDLER);
}
