import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { newId } from './ids.js';
import { silentLogger } from './log.js';
import { releaseStrays } from './strays.js';
import { useScratch } from './testing.js';
import { UndoRetries } from './undo.js';

const scratch = useScratch('strays');

/** Releases what is below the scratch directory, and tells which ids were asked for. */
async function released(known: readonly string[], release: (id: string) => void = () => undefined) {
  const asked: string[] = [];
  const logger = silentLogger();
  const retries = new UndoRetries(logger);
  await releaseStrays({
    kind: 'thing',
    dir: scratch.path('things'),
    isKnown: (id) => known.includes(id),
    release: (id) => {
      asked.push(id);
      return Promise.resolve().then(() => release(id));
    },
    retries,
    logger,
  });
  retries.stop();
  return { asked, retries };
}

describe('what has no record', () => {
  it('is released, and nothing else is', async () => {
    const [known, stray] = [newId(), newId()];
    for (const name of [known, stray, 'other']) await mkdir(scratch.path('things', name), { recursive: true });
    await writeFile(scratch.path('things', 'file'), '');
    expect((await released([known])).asked).toEqual([stray]);
  });

  it('is tried again where it resists', async () => {
    const id = newId();
    await mkdir(scratch.path('things', id), { recursive: true });
    let busy = true;
    const { asked, retries } = await released([], () => {
      if (busy) throw new RangeError('busy');
    });
    expect(retries.waiting).toEqual([`thing ${id} without a record`]);
    busy = false;
    await retries.retry();
    expect([asked, retries.waiting]).toEqual([[id, id], []]);
  });

  it('is nothing where there is no directory', async () => {
    expect((await released([])).asked).toEqual([]);
  });
});
