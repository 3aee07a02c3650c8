import { describe, expect, it } from '@jest/globals';

import { collectSettings } from './collect-settings.js';
import { defaultOf } from './option.js';
import { HANDLER_OPTIONS, OPTIONS } from './options.js';
import { renderReference } from './render-reference.js';
import { renderSample } from './render-sample.js';

const SAMPLE = renderSample();
const UNCOMMENTED = SAMPLE.replace(/^( *)#(?=\w+:)/gm, '$1');

describe('the sample', () => {
  it('sets nothing as it is', () => {
    const settings = collectSettings([{ file: 'f', text: SAMPLE }]);
    expect([settings.problems, settings.values.size]).toEqual([[], 0]);
  });

  it('shows each option with its default', () => {
    const { problems, values } = collectSettings([{ file: 'f', text: UNCOMMENTED }]);
    expect(problems).toEqual([]);
    for (const option of OPTIONS) {
      expect([option.key, values.get(option.key)?.value]).toEqual([
        option.key,
        defaultOf(option, { cgroupDriver: 'cgroupfs', cores: 4 }),
      ]);
    }
    expect(values.get('runtime.handlers.runc.path')?.value).toBe('/usr/bin/runc');
    expect(values.size).toBe(OPTIONS.length + HANDLER_OPTIONS.length);
  });

  it('can be uncommented one line at a time', () => {
    const lines = SAMPLE.split('\n');
    const options = lines.flatMap((line, index) => (/^ {0,2}#\w+:/.test(line) ? [index] : []));
    expect(options).toHaveLength(OPTIONS.length);
    for (const chosen of options) {
      const text = lines.map((line, index) => (index === chosen ? line.replace('#', '') : line)).join('\n');
      const { problems, values } = collectSettings([{ file: 'f', text }]);
      expect([lines[chosen], problems, values.size]).toEqual([lines[chosen], [], 1]);
    }
  });

  it('keeps to the width of a terminal', () => {
    expect(SAMPLE.split('\n').filter((line) => line.length > 120)).toEqual([]);
  });
});

describe('the reference', () => {
  it('has a row for each option, with four cells', () => {
    const rows = renderReference()
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const keys = rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1]);
    expect(keys).toEqual([...OPTIONS, ...HANDLER_OPTIONS].map(({ key }) => key));
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
  });
});

describe('the option table', () => {
  it('names each key once and points only at options that exist', () => {
    const keys = OPTIONS.map((option): string => option.key);
    expect(new Set(keys).size).toBe(keys.length);
    const targets = OPTIONS.flatMap((option) => ('unless' in option ? [option.unless] : []));
    expect(targets.filter((key) => !keys.includes(key))).toEqual([]);
  });
});
