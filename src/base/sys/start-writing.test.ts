import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { thrown, useScratch } from '../testing.js';
import { startWritingSync } from './start-writing.js';

const scratch = useScratch('start-writing');

describe('startWritingSync', () => {
  it('begins to write a part of a file, and leaves it as it is', () => {
    const path = scratch.path('file');
    const fd = openSync(path, 'wx+');
    const content = Buffer.alloc(3 << 20, 'content');
    writeSync(fd, content);
    startWritingSync(fd, 0, 1 << 20);
    startWritingSync(fd, 1 << 20, content.length);
    closeSync(fd);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('names what fails', () => {
    const error = thrown(() => startWritingSync(-1, 0, 1)) as Error & { readonly code?: string };
    expect([error.code, error.message]).toEqual(['EBADF', 'sync_file_range -1: EBADF']);
  });
});
