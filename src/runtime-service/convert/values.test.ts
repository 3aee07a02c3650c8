import { describe, expect, it } from '@jest/globals';
import Long from 'long';

import { thrown } from '../../base/testing.js';
import { absolutePath, fromEnum, matchesLabels, required, toNumber, toTimestamp } from './values.js';

describe('toNumber', () => {
  it.each([
    [undefined, 0],
    [null, 0],
    [7, 7],
    [Long.fromNumber(-5), -5],
    [Long.fromString('9007199254740991'), Number.MAX_SAFE_INTEGER],
  ])('of %p is %p', (value, number) => {
    expect(toNumber(value, 'f')).toBe(number);
  });

  it.each([Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_UNSIGNED_VALUE, 1.5, Number.NaN, 2 ** 53])(
    'refuses %p',
    (value) => {
      expect(thrown(() => toNumber(value, 'config.field'))).toMatchObject({
        code: 'invalid-argument',
        message: `config.field is out of range: ${String(value)}`,
      });
    },
  );
});

it('keeps every nanosecond', () => {
  expect(toTimestamp('1763730000123456789').toString()).toBe('1763730000123456789');
  expect(toTimestamp(undefined)).toBe(Long.ZERO);
});

describe('what must be there', () => {
  it.each([undefined, null, ''])('is not %p', (value) => {
    expect(thrown(() => required(value, 'config.x'))).toMatchObject({
      code: 'invalid-argument',
      message: 'config.x is missing',
    });
  });

  it.each([0, false, 'a', {}])('may be %p', (value) => {
    expect(required(value, 'x')).toBe(value);
  });
});

it('takes only the values of an enum that it knows', () => {
  const table = { 0: 'zero', 2: 'two' };
  expect([undefined, null, 0, 2].map((value) => fromEnum(table, value, 'x'))).toEqual(['zero', 'zero', 'zero', 'two']);
  expect(thrown(() => fromEnum(table, 1, 'config.x'))).toMatchObject({
    code: 'invalid-argument',
    message: 'config.x has the unknown value 1',
  });
});

it.each(['relative', './x', '/nul\0', '~'])('takes %j for no absolute path', (path) => {
  expect(absolutePath('/a', 'x')).toBe('/a');
  expect(thrown(() => absolutePath(path, 'config.x'))).toMatchObject({
    code: 'invalid-argument',
    message: `config.x is not an absolute path: "${path}"`,
  });
});

it.each([
  [{}, undefined, true],
  [{ a: '1' }, {}, true],
  [{ a: '1', b: '2' }, { a: '1' }, true],
  [{ a: '1' }, { a: '2' }, false],
  [{}, { a: '' }, false],
  [{ a: '1' }, { a: '1', toString: 'x' }, false],
])('of labels %p and selector %p: %p', (labels, selector, expected) => {
  expect(matchesLabels(labels as Record<string, string>, selector as Record<string, string>)).toBe(expected);
});
