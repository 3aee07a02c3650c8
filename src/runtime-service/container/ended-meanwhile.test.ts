import { describe, expect, it } from '@jest/globals';

import { internal, invalidArgument } from '../../base/errors.js';
import { identityOf, useScratch } from '../../base/testing.js';
import { orEnded } from './ended-meanwhile.js';

const scratch = useScratch('ended');

describe('an error of work', () => {
  it.each([undefined, { pid: process.pid, startTime: 'another' }])(
    'that has lost what it needs is nobody’s fault: %j',
    (gone) => {
      const broken = internal('something broke');
      const reason = { code: 'failed-precondition', message: 'sandbox "a" has ended meanwhile' };
      expect(orEnded(broken, 'sandbox "a"', gone)).toMatchObject({ ...reason, cause: broken });
      expect(orEnded(new Error('no code'), 'sandbox "a"', gone)).toMatchObject(reason);
    },
  );

  it('stays what it is where it says whose fault it is, and while that lives', () => {
    const said = invalidArgument('whose fault');
    expect(orEnded(said, 'sandbox "a"', undefined)).toBe(said);
    const broken = internal('something broke');
    expect(orEnded(broken, 'sandbox "a"', identityOf(scratch.shell('exec sleep 60').pid))).toBe(broken);
  });
});
