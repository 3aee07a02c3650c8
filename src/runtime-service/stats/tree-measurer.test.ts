import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../../base/testing.js';
import { TreeMeasurer } from './tree-measurer.js';

const scratch = useScratch('measurer');

describe('TreeMeasurer', () => {
  function measurer(small?: number): TreeMeasurer {
    const made = new TreeMeasurer(small);
    scratch.defer(() => made.close());
    return made;
  }

  it('measures small and large trees alike', async () => {
    await mkdir(scratch.path('tree'));
    for (let i = 0; i < 20; i++) await writeFile(scratch.path(`tree/${i}`), Buffer.alloc(i * 1_000));
    const inThread = await measurer(5).measure(scratch.path('tree'));
    expect(inThread.inodes).toBe(21);
    expect(await measurer().measure(scratch.path('tree'))).toEqual(inThread);
  });

  it('rejects what cannot be a path', async () => {
    expect(await rejection(measurer().measure('/\0'))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});
