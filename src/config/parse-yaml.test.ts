import { describe, expect, it } from '@jest/globals';

import { parseYaml, type YamlNode } from './parse-yaml.js';

/** The tree without its lines, as plain values. */
function plain(node: YamlNode | undefined): unknown {
  if (node === undefined) return undefined;
  if (node.kind === 'sequence') return node.items.map(plain);
  if (node.kind === 'scalar') return node.value;
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

/** `key:line` of every entry, depth first. */
function linesOf(node: YamlNode | undefined): string[] {
  if (node?.kind === 'sequence') return node.items.flatMap(linesOf);
  if (node?.kind !== 'mapping') return [];
  return node.entries.flatMap((entry) => [`${entry.key}:${entry.line}`, ...linesOf(entry.value)]);
}

const TEXT = `# comment
plain: text
quoted: "a\\tb"
single: 'it''s'
number: 12
hex: 0x10
yes: true
word: yes
nothing:
list: [a, {inner: 1},
  b]
block: |
  two
  lines
after: end
map:
  "deep key":
    deeper: !!str 5
`;

describe('parseYaml', () => {
  it('reads scalars by the core schema, and all styles', () => {
    expect(plain(parseYaml(TEXT, 'f').root)).toEqual({
      plain: 'text',
      quoted: 'a\tb',
      single: "it's",
      number: 12,
      hex: 16,
      yes: true,
      word: 'yes',
      nothing: null,
      list: ['a', { inner: 1 }, 'b'],
      block: 'two\nlines\n',
      after: 'end',
      map: { 'deep key': { deeper: '5' } },
    });
  });

  it('knows the line of every key', () => {
    expect(linesOf(parseYaml(TEXT, 'f').root).join(' ')).toBe(
      'plain:2 quoted:3 single:4 number:5 hex:6 yes:7 word:8 nothing:9 list:10 inner:10 block:12 after:15 map:16 deep key:17 deeper:18',
    );
  });

  it('counts lines alike with CRLF', () => {
    expect(linesOf(parseYaml(TEXT.replaceAll('\n', '\r\n'), 'f').root)).toEqual(linesOf(parseYaml(TEXT, 'f').root));
  });

  it.each([
    ['a: !!int x', 1, 'a'],
    ['b: 1\na: !nope x', 2, 'a'],
    ['? [a]\n: b', 1, undefined],
    ['a: "open', 1, undefined],
    ['a: 1\n b: 2\n', 2, undefined],
  ])('reports %j with its line', (text, line, key) => {
    const { problems } = parseYaml(text, 'f');
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ file: 'f', line, ...(key === undefined ? {} : { key }) });
  });

  it('has no root for an empty file', () => {
    expect(parseYaml('', 'f')).toEqual({ root: undefined, problems: [] });
  });

  it('refuses nesting that would exhaust the stack', () => {
    const { problems } = parseYaml('['.repeat(100_000), 'f');
    expect(problems[0]?.message).toMatch(/^not valid YAML/);
  });
});
