import { readFileSync } from 'node:fs';

import { expect, it } from '@jest/globals';

import { openFilesLimitIn } from './open-files-limit.js';

it.each([
  ['Max open files            1024                 524288               files     ', { soft: 1024, hard: 524288 }],
  [
    'Max open files            unlimited            unlimited            files     ',
    { soft: Infinity, hard: Infinity },
  ],
  ['Max file locks            1                    2                    locks     ', undefined],
  ['', undefined],
])('reads %j', (line, expected) => {
  const before = 'Limit                     Soft Limit           Hard Limit           Units     \n';
  expect(openFilesLimitIn(`${before}${line}\n`)).toEqual(expected);
});

it('reads the kernel’s own', () => {
  const { soft = 0, hard = 0 } = openFilesLimitIn(readFileSync('/proc/self/limits', 'utf8')) ?? {};
  expect(soft).toBeGreaterThan(0);
  expect(hard).toBeGreaterThanOrEqual(soft);
});
