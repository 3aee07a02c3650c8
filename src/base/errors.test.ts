import { describe, expect, it } from '@jest/globals';
import { runInNewContext } from 'node:vm';

import {
  codeOf,
  describeError,
  ERROR_CODES,
  errnoOf,
  GantryError,
  hasCode,
  internal,
  invalidArgument,
  notFound,
  codeFor,
  wrapError,
} from './errors.js';

describe('codeOf', () => {
  it.each(ERROR_CODES)('knows %s', (code) => {
    const error = new GantryError(code, 'x');
    expect(codeOf(error)).toBe(code);
    expect(hasCode(error, code)).toBe(true);
    expect(hasCode(error, code === 'internal' ? 'not-found' : 'internal')).toBe(false);
  });

  it.each([undefined, null, 'not-found', 7, {}, { code: 'ENOENT' }, { code: 5 }, new Error('x')])(
    'finds none in %p',
    (value) => {
      expect(codeOf(value)).toBeUndefined();
    },
  );

  it('does not care which realm an error is from', () => {
    const error: unknown = runInNewContext(`Object.assign(new Error('x'), { code: 'not-found' })`);
    expect(codeOf(error)).toBe('not-found');
  });
});

describe('errnoOf', () => {
  it.each([
    [{ code: 'ENOENT' }, 'ENOENT'],
    [{ code: 'E2BIG' }, 'E2BIG'],
    [{ code: 'ERR_INVALID_ARG_VALUE' }, undefined],
    [{ code: 'not-found' }, undefined],
    [{ code: 2 }, undefined],
    [null, undefined],
    ['ENOENT', undefined],
  ])('of %p is %p', (error, errno) => {
    expect(errnoOf(error)).toBe(errno);
  });
});

describe('describeError', () => {
  it('is bounded, whatever a message or its causes quote', () => {
    const long = 'x'.repeat(15 << 20);
    for (const error of [
      new Error(long),
      notFound(`thing "${long}"`),
      internal('a', internal('b', notFound(long))),
      long,
    ]) {
      expect(describeError(error).length).toBeLessThan(10_000);
    }
    expect(notFound(`thing "${long}" is gone`).message).toMatch(/^thing "x+….*characters cut.*…x+" is gone$/);
  });

  it('tells the causes in order', () => {
    const error = internal('run sandbox "a"', internal('create', new Error('no such file')));
    expect(describeError(error)).toBe('run sandbox "a": create: no such file');
  });

  it('does not say twice what a message has from its cause', () => {
    expect(describeError(internal('create: no such file', new Error('no such file')))).toBe('create: no such file');
  });

  it.each([
    ['text', 'text'],
    [undefined, 'undefined'],
    [{ message: 'foreign' }, 'foreign'],
    [internal('outer', 'thrown text'), 'outer: thrown text'],
  ])('of %p is %s', (thrown, text) => {
    expect(describeError(thrown)).toBe(text);
  });
});

describe('wrapError', () => {
  it('keeps the code and the cause', () => {
    const cause = notFound('image "x" does not exist');
    const error = wrapError(cause, 'create container "a"');
    expect(error).toMatchObject({ code: 'not-found', message: 'create container "a"', cause });
  });

  it('gives a foreign error the fallback', () => {
    expect(wrapError(new Error('x'), 'y').code).toBe('internal');
    expect(wrapError(new Error('x'), 'y', 'unavailable').code).toBe('unavailable');
  });

  it('calls a full disk what it is, whatever the fallback', () => {
    const full = Object.assign(new Error('x'), { code: 'ENOSPC' });
    expect(wrapError(full, 'y', 'unavailable').code).toBe('resource-exhausted');
    expect([codeFor(full), codeFor(new Error('x')), codeFor(notFound('x'))]).toEqual([
      'resource-exhausted',
      'internal',
      'not-found',
    ]);
  });

  it('leaves no cause property where there is no cause', () => {
    expect('cause' in invalidArgument('x')).toBe(false);
  });
});
