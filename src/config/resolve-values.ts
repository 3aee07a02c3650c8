import { availableParallelism } from 'node:os';

import type { Settings } from './collect-settings.js';
import type { Config } from './config.js';
import { detectCgroupDriver } from './detect-cgroup-driver.js';
import { defaultOf, type Option, type OptionValue } from './option.js';
import { HANDLER_OPTIONS, HANDLERS_KEY, OPTIONS } from './options.js';
import type { Origin } from './problem.js';

/** A value that counts: set in a file, or the default, which has no origin. */
export interface Resolved {
  readonly option: Option;
  readonly value: OptionValue;
  readonly origin: Origin | undefined;
}

/** By key in full. */
export type ResolvedValues = ReadonlyMap<string, Resolved>;

/** Completes what the files say with the table's defaults and the handlers' programs. */
export function resolveValues(settings: Settings, programs: ReadonlyMap<string, string>): ResolvedValues {
  const driver = settings.values.get('cgroup_driver')?.value as Config['cgroupDriver'] | undefined;
  const context = { cgroupDriver: detectCgroupDriver(driver ?? 'auto'), cores: availableParallelism() };
  const resolved = new Map<string, Resolved>();
  const add = (key: string, option: Option, fallback: OptionValue): void => {
    resolved.set(key, settings.values.get(key) ?? { option, value: fallback, origin: undefined });
  };
  for (const option of OPTIONS) add(option.key, option, defaultOf(option, context));
  const state = textValue(resolved, 'state');
  const [path, root, ...others] = HANDLER_OPTIONS;
  for (const [name, program] of programs) {
    add(`${HANDLERS_KEY}.${name}.path`, path, program);
    add(`${HANDLERS_KEY}.${name}.root`, root, `${state}/runtime/${name}`);
    for (const option of others) add(`${HANDLERS_KEY}.${name}.${option.key}`, option, defaultOf(option, context));
  }
  return resolved;
}

/** The value of a key whose option is text. */
export function textValue(values: ResolvedValues, key: string): string {
  return String(values.get(key)?.value);
}

/** The value of a key whose option is a list. */
export function listValue(values: ResolvedValues, key: string): readonly string[] {
  const value = values.get(key)?.value;
  return Array.isArray(value) ? (value as readonly string[]) : [];
}
