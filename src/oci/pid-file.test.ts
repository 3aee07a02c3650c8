import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { identityOf, useScratch } from '../base/testing.js';
import { processOfPidFile } from './pid-file.js';

const scratch = useScratch('pid-file');

async function lookUp(content: string): Promise<unknown> {
  await writeFile(scratch.path('pid'), content);
  return processOfPidFile(scratch.path('pid'), 'container-0815');
}

describe('processOfPidFile', () => {
  it('finds a process that has the id on its command line', async () => {
    const child = scratch.shell(': container-0815; sleep 60; true');
    expect(await lookUp(String(child.pid))).toEqual(identityOf(child.pid));
    expect(await lookUp(`${child.pid}\n`)).toEqual(identityOf(child.pid));
  });

  it('finds no other', async () => {
    const child = scratch.shell('exec sleep 60');
    expect(await lookUp(String(child.pid))).toBeUndefined();
    for (const content of ['', 'x', '0', '1', '-1', '4194304', '1e9']) expect(await lookUp(content)).toBeUndefined();
    expect(await processOfPidFile(scratch.path('none'), 'container-0815')).toBeUndefined();
  });
});
