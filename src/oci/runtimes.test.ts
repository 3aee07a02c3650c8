import { describe, expect, it } from '@jest/globals';

import { thrown, useScratch } from '../base/testing.js';
import { ownRuntime, RUNC, testRuntimes } from './testing.js';

const scratch = useScratch('runtimes');

it('finds a handler by its name, and the default by none', () => {
  const [runc, crun] = [ownRuntime(scratch), ownRuntime(scratch)];
  const runtimes = testRuntimes(scratch, { crun, runc });
  expect(runtimes.names).toEqual(['crun', 'runc']);
  expect([runtimes.nameOf(''), runtimes.nameOf('runc'), runtimes.nameOf('kata')]).toEqual(['crun', 'runc', 'kata']);
  expect([runtimes.get('runc'), runtimes.get(''), runtimes.get('crun')]).toEqual([runc, crun, crun]);
  expect(thrown(() => runtimes.get('kata'))).toMatchObject({
    code: 'not-found',
    message: 'runtime handler "kata" is not configured; there are: crun, runc',
  });
});

describe('the runtime of an object', () => {
  const made = (root: string, path = RUNC) => ({ path, root: scratch.path(root), cgroupDriver: 'cgroupfs' }) as const;

  it('is the configured one while that is what it was', () => {
    const runc = ownRuntime(scratch);
    const runtimes = testRuntimes(scratch, { runc });
    const record = runtimes.record('');
    expect(record).toEqual({ handler: 'runc', runtime: made('runtime') });
    expect(runtimes.of(record)).toBe(runc);
    expect(runtimes.of({ handler: 'runc' })).toBe(runc);
    expect(thrown(() => runtimes.record('kata'))).toMatchObject({ code: 'not-found' });
  });

  it('is what its record says where the handler has another root, or is gone', () => {
    const runtimes = testRuntimes(scratch, { runc: ownRuntime(scratch) });
    for (const handler of ['runc', 'gone'])
      expect(runtimes.of({ handler, runtime: made('before') }).options).toMatchObject({ handler, ...made('before') });
  });

  it('has the program where the handler has it now, if it has moved', () => {
    const runtimes = testRuntimes(scratch, { runc: ownRuntime(scratch) });
    const before = made('before', '/no/such/runc');
    expect(runtimes.of({ handler: 'runc', runtime: before }).options).toMatchObject(made('before'));
    expect(runtimes.of({ handler: 'gone', runtime: before }).options).toMatchObject(before);
  });

  it('is looked for in the usual place where an old record does not say, and the handler is gone', () => {
    const runtimes = testRuntimes(scratch, { runc: ownRuntime(scratch) });
    expect(runtimes.of({ handler: 'crun' }).options).toMatchObject({
      ...{ path: 'crun', root: scratch.path('usual', 'crun'), cgroupDriver: 'cgroupfs' },
    });
  });
});
