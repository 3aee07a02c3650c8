import type { Config, HandlerConfig } from './config.js';
import { camel } from './option.js';
import { HANDLERS_KEY, OPTIONS } from './options.js';
import { listValue, textValue, type ResolvedValues } from './resolve-values.js';

/** Gives the complete values the shape of {@link Config}, which is derived from the same table. */
export function toConfig(values: ResolvedValues): Config {
  const config: Record<string, unknown> = {};
  const sections: Record<string, Record<string, unknown>> = { runtime: { handlers: toHandlers(values) } };
  for (const { key } of OPTIONS) {
    const [first = '', name] = key.split('.');
    const value = values.get(key)?.value;
    if (name === undefined) config[camel(first)] = value;
    else (sections[first] ??= {})[camel(name)] = value;
  }
  return { ...config, ...sections } as unknown as Config;
}

function toHandlers(values: ResolvedValues): Map<string, HandlerConfig> {
  const handlers = new Map<string, HandlerConfig>();
  for (const key of values.keys()) {
    const name = new RegExp(`^${HANDLERS_KEY}\\.([^.]+)\\.path$`).exec(key)?.[1];
    if (name === undefined) continue;
    const keyOf = (option: string): string => `${HANDLERS_KEY}.${name}.${option}`;
    handlers.set(name, {
      path: textValue(values, key),
      root: textValue(values, keyOf('root')),
      podAnnotations: listValue(values, keyOf('pod_annotations')),
      containerAnnotations: listValue(values, keyOf('container_annotations')),
    });
  }
  return handlers;
}
