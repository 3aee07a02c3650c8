import { describe, expect, it } from '@jest/globals';

import { collectSettings } from './collect-settings.js';
import { formatProblem } from './problem.js';

function problemsOf(text: string): string[] {
  return collectSettings([{ file: 'f', text }]).problems.map(formatProblem);
}

const LONG = `/${'s'.repeat(107)}`;

describe('what a file must not have', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['unknown: 1', 'f:1: unknown: unknown key'],
    ['\nlog:\n  levle: info', 'f:3: log.levle: unknown key, did you mean log.level?'],
    ['pause_image: x', 'f:1: pause_image: unknown key, did you mean image.pause_image?'],
    ['networks: {}', 'f:1: networks: unknown key, did you mean network?'],
    ['log.level: info', 'f:1: log.level: unknown key: sections are nested, write "level:" under "log:"'],
    ['a.b: 1', 'f:1: a.b: unknown key'],
    ['log: info', 'f:1: log: expected a mapping'],
    ['- a', 'f:1: expected a mapping'],
    ['root: [/a]', 'f:1: root: expected an absolute path, got a list'],
    ['root: {a: b}', 'f:1: root: expected an absolute path, got a mapping'],
    ['root: rel', 'f:1: root: expected an absolute path, got "rel"'],
    ['root: 12', 'f:1: root: expected an absolute path, got 12'],
    ['root:', 'f:1: root: expected an absolute path, got nothing'],
    ['root: ""', 'f:1: root: expected an absolute path, got ""'],
    ['root: "/a\\0b"', 'f:1: root: expected an absolute path, got "/a\\u0000b"'],
    [`listen: ${LONG}`, `f:1: listen: expected the absolute path of a socket, of at most 107 bytes, got "${LONG}"`],
    ['streaming: {port: "80"}', 'f:1: streaming.port: expected a whole number from 0 to 65535, got "80"'],
    ['runtime: {timeout: 0}', 'f:1: runtime.timeout: expected a whole number from 1 to 86400, got 0'],
    ['runtime: {timeout: 1.5}', 'f:1: runtime.timeout: expected a whole number from 1 to 86400, got 1.5'],
    ['streaming: {address: localhost}', 'f:1: streaming.address: expected an IP address, got "localhost"'],
    ['image: {pause_image: "a b"}', 'f:1: image.pause_image: expected an image reference, or "", got "a b"'],
    ['network: {bin_dirs: /a}', 'f:1: network.bin_dirs: expected a list of absolute paths, got "/a"'],
    ['network:\n  bin_dirs:\n  - /a\n  - b', 'f:4: network.bin_dirs: expected an absolute path, got "b"'],
    [
      'runtime: {cgroup_parent: a}',
      'f:1: runtime.cgroup_parent: expected an absolute cgroup path or the name of a slice, got "a"',
    ],
    [
      'runtime: {handlers: {runc: {pth: /a}}}',
      'f:1: runtime.handlers.runc.pth: unknown key, did you mean runtime.handlers.runc.path?',
    ],
    ['runtime: {handlers: {runc: /a}}', 'f:1: runtime.handlers.runc: expected a mapping'],
    ['runtime: {handlers: {../x: {}}}', 'f:1: runtime.handlers.../x: unknown key'],
    [
      'runtime: {handlers: {A_b: {}}}',
      'f:1: runtime.handlers.A_b: not a handler name: lower-case letters, digits and "-", at most 63',
    ],
    ['log:\n  level: info\n  level: warn', 'f:3: log.level: set twice, first on line 2'],
    ['root: *here', 'f:1: root: aliases are not supported'],
    ['root: /a\n---\nroot: /b', 'f:3: more than one document'],
    ['a: [1', 'f:1: not valid YAML: unexpected end of the stream within a flow collection'],
  ];

  it.each(cases)('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual([expected]);
  });
});

describe('collectSettings', () => {
  it('takes an empty file, comments and empty sections for nothing set', () => {
    for (const text of ['', '# only\n', 'log:\nnetwork:\n', '---\n']) {
      const settings = collectSettings([{ file: 'f', text }]);
      expect([settings.problems, settings.values.size]).toEqual([[], 0]);
    }
  });

  it('notes handlers that have no options of their own', () => {
    const settings = collectSettings([{ file: 'f', text: 'runtime:\n  handlers:\n    crun:\n    kata: {}\n' }]);
    expect([...settings.handlers]).toEqual([
      ['crun', { file: 'f', line: 3 }],
      ['kata', { file: 'f', line: 4 }],
    ]);
  });

  it('is not misled by the names of object members', () => {
    expect(problemsOf('constructor: 1\n__proto__: {toString: 2}\n')).toEqual([
      'f:1: constructor: unknown key',
      'f:2: __proto__: unknown key',
    ]);
  });
});
