import type { IntegerOption, Option, OptionValue, ListOption, TextOption } from './option.js';
import type { YamlNode } from './parse-yaml.js';
import { ANNOTATION_PATTERN, IMAGE_PATTERN, TEXT_TYPES } from './text-types.js';

/** A value of the option's type, or the line and text of what is wrong with it. */
export type Parsed<T extends OptionValue = OptionValue> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly line: number; readonly message: string };

/** Reads the value of `option` from what the file has there. */
export function parseValue(option: Option, node: YamlNode): Parsed {
  switch (option.type) {
    case 'integer':
      return parseInteger(option, node);
    case 'choice':
      return parseChoice(option.choices, node);
    case 'paths':
    case 'patterns':
    case 'annotations':
      return parseList(option, node);
    default:
      return parseText(option, node);
  }
}

/** What an option's value must be, for messages and the reference. */
export function expectedOf(option: Option): string {
  switch (option.type) {
    case 'integer':
      return `a whole number from ${option.min} to ${option.max}`;
    case 'choice':
      return `one of ${option.choices.join(', ')}`;
    case 'paths':
      return 'a list of absolute paths';
    case 'patterns':
      return 'a list of image references, in which * stands for anything';
    case 'annotations':
      return 'a list of annotations, in which * stands for anything';
    default:
      return option.optional === true ? `${TEXT_TYPES[option.type].expected}, or ""` : TEXT_TYPES[option.type].expected;
  }
}

function parseText(option: TextOption, node: YamlNode): Parsed<string> {
  const text = textOf(node);
  if (text === '' && option.optional === true) return { ok: true, value: '' };
  const value = text === undefined ? undefined : TEXT_TYPES[option.type].read(text);
  return value === undefined ? wrong(expectedOf(option), node) : { ok: true, value };
}

const ITEMS = { paths: TEXT_TYPES.path, patterns: IMAGE_PATTERN, annotations: ANNOTATION_PATTERN };

function parseList(option: ListOption, node: YamlNode): Parsed<readonly string[]> {
  if (node.kind !== 'sequence') return wrong(expectedOf(option), node);
  const type = ITEMS[option.type];
  const values: string[] = [];
  for (const item of node.items) {
    const value = type.read(textOf(item) ?? '');
    if (value === undefined) return wrong(type.expected, item);
    values.push(value);
  }
  return { ok: true, value: values };
}

function parseInteger(option: IntegerOption, node: YamlNode): Parsed<number> {
  const value = node.kind === 'scalar' ? node.value : undefined;
  const valid = typeof value === 'number' && Number.isInteger(value) && value >= option.min && value <= option.max;
  return valid ? { ok: true, value } : wrong(expectedOf(option), node);
}

function parseChoice(choices: readonly string[], node: YamlNode): Parsed<string> {
  const value = choices.find((choice) => choice === textOf(node));
  return value === undefined ? wrong(`one of ${choices.join(', ')}`, node) : { ok: true, value };
}

function textOf(node: YamlNode): string | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

function wrong(expected: string, node: YamlNode): { ok: false; line: number; message: string } {
  return { ok: false, line: node.line, message: `expected ${expected}, got ${describeNode(node)}` };
}

function describeNode(node: YamlNode): string {
  if (node.kind === 'sequence') return 'a list';
  if (node.kind === 'mapping') return 'a mapping';
  return node.value === null ? 'nothing' : JSON.stringify(node.value);
}
