import { PROGRAM_DIRS } from './find-handlers.js';
import { defaultOf, type Option } from './option.js';
import { HANDLER_OPTIONS, HANDLERS_KEY } from './options.js';
import { expectedOf } from './parse-value.js';
import { DEFAULT_FILE } from './read-files.js';
import { sectionsOf, type Section } from './sections.js';

const INTRODUCTION = `# Configuration

<!-- Generated from the option table in src/config/options.ts by \`make generate\`; do not edit. -->

\`gantryd\` reads \`${DEFAULT_FILE}\`, or the file given with \`--config\`, and then the drop-ins \`conf.d/*.yaml\` in the
same directory, sorted by name. Files are merged key by key: the last that sets a key wins, and a list is replaced as a
whole. Without any file the defaults below hold. A file that \`--config\` names must exist.

The files are YAML 1.2 without aliases. The daemon does not start with a key that it does not know, a value of the
wrong type, a key set twice, or a path that does not exist but must; it tells all such problems at once, with their places:

\`\`\`
/etc/gantry/gantry.yaml:12: runtime.handlers.runc.path: /usr/bin/nope does not exist
\`\`\`

\`conf/gantry.yaml\` is a sample with every option in a comment.
`;

const HANDLERS = `## ${HANDLERS_KEY}.\\<name\\>

The OCI runtimes that pods can ask for by name, as the handler of a RuntimeClass does. A name has lower-case letters,
digits and \`-\`. \`runc\` is there without being named if its program is found; so is the default handler. The program of a
handler without a path is looked for by the handler's name in ${PROGRAM_DIRS.map(code).join(', ')}.
`;

/** The reference of all options, in Markdown. */
export function renderReference(): string {
  return [INTRODUCTION, ...sectionsOf().map(renderSection), HANDLERS, renderTable(HANDLER_OPTIONS)].join('\n');
}

function renderSection({ name, options }: Section): string {
  return `## ${name === '' ? 'Top level' : name}\n\n${renderTable(options)}`;
}

function renderTable(options: readonly Option[]): string {
  const rows = options.map((option) => `| ${cellsOf(option).join(' | ')} |\n`);
  return `| Key | Value | Default | Meaning |\n|---|---|---|---|\n${rows.join('')}`;
}

function cellsOf(option: Option): readonly string[] {
  return [`\`${option.key}\``, expectedOf(option), defaultText(option), meaningOf(option)].map(escapeCell);
}

function defaultText(option: Option): string {
  if (option.defaultText !== undefined) return option.defaultText;
  const value = defaultOf(option, { cgroupDriver: 'cgroupfs', cores: 1 });
  return typeof value === 'object' ? value.map(code).join(', ') : code(value);
}

function meaningOf(option: Option): string {
  const program = 'exists' in option && option.exists === 'executable';
  return program ? `${option.description} It must exist and be executable.` : option.description;
}

function code(value: string | number): string {
  return value === '' ? '`""`' : `\`${value}\``;
}

function escapeCell(text: string): string {
  return text.replace(/\|/g, '\\|').replace(/<(\w+)>/g, '\\<$1\\>');
}
