import { expect, it } from '@jest/globals';

import { thrown, useScratch } from '../base/testing.js';
import { HostFeatures } from './host-features.js';
import { Runtimes } from './runtimes.js';
import { ownRuntime } from './testing.js';

const scratch = useScratch('runtimes');

it('finds a handler by its name, and the default by none', () => {
  const [runc, crun] = [ownRuntime(scratch), ownRuntime(scratch)];
  const runtimes = new Runtimes(
    new Map([
      ['runc', runc],
      ['crun', crun],
    ]),
    'crun',
    new HostFeatures(scratch.root),
  );
  expect(runtimes.names).toEqual(['runc', 'crun']);
  expect([runtimes.nameOf(''), runtimes.nameOf('runc'), runtimes.nameOf('kata')]).toEqual(['crun', 'runc', 'kata']);
  expect([runtimes.get('runc'), runtimes.get(''), runtimes.get('crun')]).toEqual([runc, crun, crun]);
  expect(thrown(() => runtimes.get('kata'))).toMatchObject({
    code: 'not-found',
    message: 'runtime handler "kata" is not configured; there are: runc, crun',
  });
});
