import { dump } from 'js-yaml';

import { defaultOf, type Option, type OptionValue } from './option.js';
import { BUILT_IN_HANDLER, HANDLER_OPTIONS, HANDLERS_KEY } from './options.js';
import { sectionsOf, shortName, type Section } from './sections.js';

const WIDTH = 110;
// What a default that depends on the machine is shown as.
const EXAMPLE = { cgroupDriver: 'cgroupfs', cores: 4 } as const;
const HANDLER_EXAMPLES: Readonly<Record<(typeof HANDLER_OPTIONS)[number]['key'], OptionValue>> = {
  path: `/usr/bin/${BUILT_IN_HANDLER}`,
  root: `/run/gantry/runtime/${BUILT_IN_HANDLER}`,
  pod_annotations: [],
  container_annotations: [],
};

const HEADER = `# Configuration of gantryd. Each option is shown with its default: remove the "#" right before its name to change it.
# Files in conf.d/*.yaml beside this one are read after it, sorted by name; the last that sets a key wins.
# Generated from the option table; do not edit it in the source tree.
`;

/** The commented sample configuration; as it is, it sets nothing. */
export function renderSample(): string {
  return [HEADER, ...sectionsOf().map(renderSection)].join('\n');
}

function renderSection({ name, options }: Section): string {
  const indent = name === '' ? '' : '  ';
  const parts = options.map((option) => renderOption(option, indent, defaultOf(option, EXAMPLE)));
  if (HANDLERS_KEY.startsWith(`${name}.`)) parts.push(renderHandlers());
  return (name === '' ? '' : `${name}:\n`) + parts.join('\n');
}

function renderHandlers(): string {
  const options = HANDLER_OPTIONS.map((option) => renderOption(option, '      ', HANDLER_EXAMPLES[option.key]));
  const about = comment('OCI runtimes that pods can ask for by name (the handler of a RuntimeClass).', '  ');
  return `${about}  ${shortName(HANDLERS_KEY)}:\n    #${BUILT_IN_HANDLER}:\n${options.join('')}`;
}

function renderOption(option: Option, indent: string, value: OptionValue): string {
  const lines = comment(option.description, indent) + renderConditions(option, indent);
  return `${lines}${indent}#${shortName(option.key)}: ${dump(value, { flowLevel: 0 }).trim()}\n`;
}

function renderConditions(option: Option, indent: string): string {
  const choices = option.type === 'choice' ? comment(`One of: ${option.choices.join(', ')}.`, indent) : '';
  return option.defaultText === undefined ? choices : choices + comment(`Default: ${option.defaultText}.`, indent);
}

function comment(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || indent.length + 3 + last.length + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => `${indent}# ${line}\n`).join('');
}
