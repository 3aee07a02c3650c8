import { expect, it } from '@jest/globals';

import { delimited } from './delimited.js';
import { thrown } from './testing.js';

it('joins what can be split again', () => {
  expect(delimited(':', ['/a', '', '/b,c;d'], 'PATH')).toBe('/a::/b,c;d');
  expect(delimited(';', ['A=1'], 'ARGS')).toBe('A=1');
});

it.each([
  [':', 'a:b'],
  [';', 'a;b'],
  [',', ','],
  [':', 'a\nb'],
  [':', 'a\0'],
] as const)('refuses for "%s" the part %j by name', (separator, part) => {
  expect(thrown(() => delimited(separator, ['x', part], 'CNI_PATH'))).toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining(`CNI_PATH: ${JSON.stringify(part)} cannot be a part of it`),
  });
});
