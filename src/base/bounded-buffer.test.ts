import { expect, it } from '@jest/globals';

import { BoundedBuffer } from './bounded-buffer.js';

it.each([
  [['abc', 'de'], 10, 'abcde', false],
  [['abc', 'de'], 5, 'abcde', false],
  [['abc', 'de'], 4, 'abcd', true],
  [['abc', 'de', 'f'], 3, 'abc', true],
  [['abc'], 0, '', true],
  [[], 0, '', false],
  [['', ''], 0, '', false],
])('%p within %d bytes is %p', (chunks, limit, kept, truncated) => {
  const buffer = new BoundedBuffer(limit);
  for (const chunk of chunks) buffer.push(Buffer.from(chunk));
  expect(buffer.bytes().toString()).toBe(kept);
  expect(buffer.truncated).toBe(truncated);
});
