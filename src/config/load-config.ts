import { checkPaths } from './check-paths.js';
import { checkValues } from './check-values.js';
import { collectSettings } from './collect-settings.js';
import type { Config } from './config.js';
import { findHandlers } from './find-handlers.js';
import { problemsError, type Origin, type Problem } from './problem.js';
import { readConfigFiles } from './read-files.js';
import { resolveValues } from './resolve-values.js';
import { toConfig } from './to-config.js';

export interface LoadOptions {
  /** The configuration file; it must exist. Without it `/etc/gantry/gantry.yaml` is read if it is there. */
  readonly file?: string | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each value that is no default was set, by its key as in the file: `runtime.handlers.runc.path`. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/**
 * Reads, merges and checks the configuration file and its drop-ins.
 * @throws invalid-argument with all problems, one a line, as `file:line: key: what is wrong`.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<Config> {
  return (await loadConfigWithOrigins(options)).config;
}

/** {@link loadConfig}, with where each value comes from. */
export async function loadConfigWithOrigins(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { texts, problems: unread } = await readConfigFiles(options.file);
  const settings = collectSettings(texts);
  const handlers = await findHandlers(settings);
  const values = resolveValues(settings, handlers.programs);
  const reported = new Set(settings.problems.flatMap(({ key }) => key ?? []));
  const checks = [...checkValues(values, reported), ...(await checkPaths(values, reported))];
  const problems = [...settings.problems, ...handlers.problems, ...checks];
  if (unread.length + problems.length > 0) {
    throw problemsError([
      ...unread,
      ...inReadingOrder(
        problems,
        texts.map(({ file }) => file),
      ),
    ]);
  }
  return { config: toConfig(values), origins: originsOf(values) };
}

function originsOf(values: ReadonlyMap<string, { readonly origin: Origin | undefined }>): Map<string, Origin> {
  return new Map([...values].flatMap(([key, { origin }]) => (origin === undefined ? [] : [[key, origin] as const])));
}

/** By file as they were read, then by line; what has no place in a file is last. */
function inReadingOrder(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const fileRank = ({ file }: Problem): number => (file === undefined ? files.length : files.indexOf(file));
  return problems.toSorted((a, b) => fileRank(a) - fileRank(b) || (a.line ?? 0) - (b.line ?? 0));
}
