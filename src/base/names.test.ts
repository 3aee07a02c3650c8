import { describe, expect, it } from '@jest/globals';

import { sleep } from './abort.js';
import { notFound } from './errors.js';
import { JoinableOperations, NameRegistry, type Claimant } from './names.js';

describe('names after a restart', () => {
  const one = (id: string, is: Claimant['is'], createdAt = '1'): Claimant => ({ id, name: 'n', is, createdAt });

  it.each([
    [[one('half', 'half-made', '9'), one('live', 'alive')], 'live', []],
    [[one('old', 'ended', '9'), one('live', 'alive', '1')], 'live', ['old']],
    [[one('a', 'alive', '9'), one('b', 'alive', '10')], 'b', ['a']],
    [[one('a', 'ended', '10'), one('half', 'half-made'), one('b', 'ended', '9')], 'a', ['b']],
    [[one('half', 'half-made')], undefined, []],
  ])('of %j go to %s', (claimants, holder, without) => {
    const names = new NameRegistry();
    expect(names.reclaim(claimants).map(({ id }) => id)).toEqual(without);
    expect(names.holder('n')).toBe(holder);
  });
});

describe('NameRegistry', () => {
  it('gives a name to one holder at a time', () => {
    const names = new NameRegistry();
    names.claim('web', 'a');
    names.claim('web', 'a');
    expect(() => names.claim('web', 'b')).toThrow('the name "web" is in use by "a"');
    names.release('web', 'b');
    expect(names.holder('web')).toBe('a');
    names.release('web', 'a');
    names.claim('web', 'b');
    expect(names.holder('web')).toBe('b');
  });
});

describe('JoinableOperations', () => {
  it('runs once for the same request under way, and again after it', async () => {
    const joins = new JoinableOperations<number>();
    let runs = 0;
    const operation = async (): Promise<number> => {
      await sleep(10);
      return ++runs;
    };
    const both = [joins.run('web', 'same', operation), joins.run('web', 'same', operation)];
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(await joins.run('web', 'same', operation)).toBe(2);
  });

  it('refuses another request of the name while one is under way', async () => {
    const joins = new JoinableOperations<void>();
    const first = joins.run('web', 'one', () => sleep(10));
    await expect(joins.run('web', 'two', () => sleep(0))).rejects.toMatchObject({ code: 'already-exists' });
    await joins.run('other', 'two', () => sleep(0));
    await first;
    await joins.run('web', 'two', () => sleep(0));
  });

  it('gives a failure to all who joined, and is then free again', async () => {
    const joins = new JoinableOperations<void>();
    const fail = async (): Promise<void> => {
      await sleep(5);
      throw notFound('x');
    };
    const results = await Promise.allSettled([joins.run('web', 'd', fail), joins.run('web', 'd', fail)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const atOnce = (): Promise<void> => {
      throw notFound('x');
    };
    await expect(joins.run('web', 'd', atOnce)).rejects.toMatchObject({ code: 'not-found' });
    await joins.run('web', 'e', () => sleep(0));
  });

  it('is idle when all have ended, whatever the outcome', async () => {
    const joins = new JoinableOperations<void>();
    const ended: string[] = [];
    const good = joins.run('a', 'd', () => sleep(10)).then(() => ended.push('good'));
    const bad = joins
      .run('b', 'd', () => sleep(5).then(() => Promise.reject(notFound('x'))))
      .catch(() => ended.push('bad'));
    await joins.idle();
    await Promise.all([good, bad]);
    expect(ended).toEqual(['bad', 'good']);
  });
});
