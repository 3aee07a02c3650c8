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
  const ended: string[] = [];
  const logger = silentLogger();
  const retries = new UndoRetries(logger);
  await releaseStrays({
    kind: 'thing',
    dir: scratch.path('things'),
    isKnown: (id) => known.includes(id),
    end: (id) => {
      ended.push(id);
      return Promise.reject(new RangeError('it resists'));
    },
    release: (id) => {
      expect(ended).toContain(id);
      asked.push(id);
      return Promise.resolve().then(() => release(id));
    },
    retries,
    logger,
  });
  await retries.idle();
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

  it('is nothing where there is no directory, or something else in its place', async () => {
    expect((await released([])).asked).toEqual([]);
    await writeFile(scratch.path('things'), '');
    expect((await released([])).asked).toEqual([]);
  });

  it('is ended before, and given back after the caller goes on, though it hangs', async () => {
    const id = newId();
    await mkdir(scratch.path('things', id), { recursive: true });
    const [logger, seen] = [silentLogger(), [] as string[]];
    const retries = new UndoRetries(logger);
    let goOn = (): void => undefined;
    const ids = await releaseStrays({
      ...{ kind: 'thing', dir: scratch.path('things'), isKnown: () => false, retries, logger },
      end: () => Promise.resolve(void seen.push('end')),
      release: () =>
        new Promise((resolve) => {
          seen.push('release');
          goOn = resolve;
        }),
    });
    expect([ids, seen, retries.waiting]).toEqual([[id], ['end', 'release'], [`thing ${id} without a record`]]);
    goOn();
    await retries.idle();
    expect(retries.waiting).toEqual([]);
  });
});
