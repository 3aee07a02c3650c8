import { findOption } from './find-option.js';
import type { Option, OptionValue } from './option.js';
import { HANDLERS_KEY } from './options.js';
import { parseValue } from './parse-value.js';
import { parseYaml, type YamlEntry, type YamlNode } from './parse-yaml.js';
import type { Origin, Problem } from './problem.js';
import type { ConfigText } from './read-files.js';

/** A value that a file has set. */
export interface Setting {
  readonly option: Option;
  readonly value: OptionValue;
  readonly origin: Origin;
}

/** What all files together say. */
export interface Settings {
  /** By key in full: `runtime.handlers.runc.path`. */
  readonly values: ReadonlyMap<string, Setting>;
  /** Handlers that are named in a file, with any options or none. */
  readonly handlers: ReadonlyMap<string, Origin>;
  readonly problems: readonly Problem[];
}

/** Merges the files key by key: the last that sets a key wins, a list is replaced as a whole. */
export function collectSettings(texts: readonly ConfigText[]): Settings {
  const collector = new Collector();
  for (const { file, text } of texts) collector.addFile(file, text);
  return collector;
}

class Collector implements Settings {
  readonly values = new Map<string, Setting>();
  readonly handlers = new Map<string, Origin>();
  readonly problems: Problem[] = [];

  addFile(file: string, text: string): void {
    const { root, problems } = parseYaml(text, file);
    this.problems.push(...problems);
    if (root !== undefined) this.#addSection(file, [], root);
  }

  #addSection(file: string, path: readonly string[], node: YamlNode): void {
    if (node.kind === 'mapping') {
      for (const entry of node.entries) this.#addEntry(file, [...path, entry.key], entry);
    } else if (node.kind !== 'scalar' || node.value !== null) {
      this.#report({ file, line: node.line }, path, 'expected a mapping');
    }
  }

  #addEntry(file: string, path: readonly string[], entry: YamlEntry): void {
    const origin = { file, line: entry.line };
    const place = findOption(path);
    switch (place.kind) {
      case 'unknown':
        this.#report(origin, path, place.hint);
        break;
      case 'option':
        this.#addValue(path, place.option, { node: entry.value, origin });
        break;
      case 'section':
        if (path.slice(0, -1).join('.') === HANDLERS_KEY) this.handlers.set(entry.key, origin);
        this.#addSection(file, path, entry.value);
    }
  }

  #addValue(path: readonly string[], option: Option, found: { node: YamlNode; origin: Origin }): void {
    const { node, origin } = found;
    const parsed = parseValue(option, node);
    if (parsed.ok) this.values.set(path.join('.'), { option, value: parsed.value, origin });
    else this.#report({ file: origin.file, line: parsed.line }, path, parsed.message);
  }

  /** A value that the parser refused, such as an alias, is not reported again for its type. */
  #report({ file, line }: Origin, path: readonly string[], message: string): void {
    const key = path.length === 0 ? undefined : path.join('.');
    const known = this.problems.some(
      (problem) => problem.file === file && problem.line === line && problem.key === key,
    );
    if (!known) this.problems.push({ file, line, key, message });
  }
}
