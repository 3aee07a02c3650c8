import { constructFromEvents, EVENT_ID, getScalarValue, parseEvents, YAMLException } from 'js-yaml';
import type { Event, MappingEvent, ScalarEvent, SequenceEvent } from 'js-yaml';

import type { Problem } from './problem.js';

/** A YAML value that knows its line. An empty place is the scalar null on the line of its key. */
export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly line: number;
  readonly value: unknown;
}

export interface YamlSequence {
  readonly kind: 'sequence';
  readonly line: number;
  readonly items: readonly YamlNode[];
}

export interface YamlMapping {
  readonly kind: 'mapping';
  readonly line: number;
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  readonly line: number;
  readonly value: YamlNode;
}

export interface YamlFile {
  /** Undefined where the file is empty or cannot be understood at all. */
  readonly root: YamlNode | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Parses one YAML 1.2 document (core schema) with the line of every key and value. Syntax errors, repeated keys,
 * aliases and further documents are problems, not exceptions.
 */
export function parseYaml(text: string, file: string): YamlFile {
  try {
    return new Builder(text, file).build(parseEvents(text, { filename: file }));
  } catch (error) {
    if (error instanceof YAMLException) return { root: undefined, problems: [syntaxProblem(error, file)] };
    throw error;
  }
}

function syntaxProblem(error: YAMLException, file: string): Problem {
  const line = error.mark === undefined ? undefined : error.mark.line + 1;
  return { file, line, message: `not valid YAML: ${error.reason}` };
}

/** Turns the flat list of events into nodes: each `#read…` consumes the events of one node. */
class Builder {
  readonly #text: string;
  readonly #file: string;
  readonly #problems: Problem[] = [];
  /** The keys around what is being read, for messages. */
  readonly #path: string[] = [];
  #events: readonly Event[] = [];
  #next = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  build(events: readonly Event[]): YamlFile {
    this.#events = events;
    let root: YamlNode | undefined;
    if (this.#take()?.type === EVENT_ID.DOCUMENT && !this.#atPop()) root = this.#readNode(1);
    this.#take();
    if (this.#next < events.length)
      this.#report(this.#lineOf(this.#events[this.#next + 1], 1), 'more than one document');
    return { root, problems: this.#problems };
  }

  #readNode(line: number): YamlNode {
    const event = this.#take();
    const at = this.#lineOf(event, line);
    if (event?.type === EVENT_ID.SCALAR) return this.#scalar(event, at);
    if (event?.type === EVENT_ID.SEQUENCE) return this.#sequence(at);
    if (event?.type === EVENT_ID.MAPPING) return this.#mapping(at);
    this.#report(at, 'aliases are not supported');
    return { kind: 'scalar', line: at, value: null };
  }

  /** The value by the core schema; js-yaml resolves it, as a document of this one scalar. */
  #scalar(event: ScalarEvent, line: number): YamlScalar {
    const document: Event = { type: EVENT_ID.DOCUMENT, explicitStart: false, explicitEnd: false, directives: [] };
    try {
      const [value] = constructFromEvents([document, event, { type: EVENT_ID.POP }], { source: this.#text });
      return { kind: 'scalar', line, value };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      this.#report(line, `not valid YAML: ${error.reason}`);
      return { kind: 'scalar', line, value: null };
    }
  }

  #sequence(line: number): YamlSequence {
    const items: YamlNode[] = [];
    while (!this.#atPop()) items.push(this.#readNode(items.at(-1)?.line ?? line));
    this.#take();
    return { kind: 'sequence', line, items };
  }

  #mapping(line: number): YamlMapping {
    const entries: YamlEntry[] = [];
    while (!this.#atPop()) {
      const entry = this.#entry(entries.at(-1)?.line ?? line);
      const first = entries.find(({ key }) => key === entry.key);
      if (first === undefined) entries.push(entry);
      else this.#report(entry.line, `set twice, first on line ${first.line}`, [entry.key]);
    }
    this.#take();
    return { kind: 'mapping', line, entries };
  }

  #entry(line: number): YamlEntry {
    const event = this.#events[this.#next];
    const at = this.#lineOf(event, line);
    if (event?.type === EVENT_ID.SCALAR) {
      this.#take();
      const key = getScalarValue(this.#text, event);
      this.#path.push(key);
      const value = this.#readNode(at);
      this.#path.pop();
      return { key, line: at, value };
    }
    this.#report(at, 'a key must be plain text');
    this.#readNode(at);
    return { key: '', line: at, value: this.#readNode(at) };
  }

  #take(): Event | undefined {
    return this.#events[this.#next++];
  }

  #atPop(): boolean {
    const event = this.#events[this.#next];
    return event === undefined || event.type === EVENT_ID.POP;
  }

  #report(line: number, message: string, below: readonly string[] = []): void {
    const path = [...this.#path, ...below];
    this.#problems.push({ file: this.#file, line, key: path.length === 0 ? undefined : path.join('.'), message });
  }

  #lineOf(event: Event | undefined, fallback: number): number {
    const offset = event === undefined ? -1 : startOf(event);
    return offset < 0 ? fallback : this.#text.slice(0, offset).split('\n').length;
  }
}

function startOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return isCollection(event) ? event.start : -1;
}

function isCollection(event: Event): event is SequenceEvent | MappingEvent {
  return event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING;
}
