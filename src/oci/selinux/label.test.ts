import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { badOption, chooseLabels, formatLabel, parseLabel } from './label.js';

const STANDARD = {
  process: 'system_u:system_r:container_t:s0:c0',
  mount: 'system_u:object_r:container_file_t:s0',
};
const NONE = { user: '', role: '', type: '', level: '' };

describe('a label', () => {
  it.each([
    ['a:b:c', { user: 'a', role: 'b', type: 'c', level: '' }],
    ['a:b:c:s0', { user: 'a', role: 'b', type: 'c', level: 's0' }],
    ['a:b:c:s0-s0:c0.c1023', { user: 'a', role: 'b', type: 'c', level: 's0-s0:c0.c1023' }],
  ])('%s is read and written', (text, label) => {
    expect(parseLabel(text)).toEqual(label);
    expect(formatLabel(label)).toBe(text);
  });

  it.each(['', 'a', 'a:b', 'a::c'])('is none: %p', (text) => {
    expect(thrown(() => parseLabel(text))).toMatchObject({ code: 'internal' });
  });
});

describe('the labels of a container', () => {
  it('are those of the policy at the level given', () => {
    expect(chooseLabels(STANDARD, NONE, 's0:c1,c2')).toEqual({
      process: 'system_u:system_r:container_t:s0:c1,c2',
      mount: 'system_u:object_r:container_file_t:s0:c1,c2',
    });
  });

  it('are changed by the request, files in user and level alone', () => {
    const options = { user: 'u_u', role: 'r_r', type: 'spc_t', level: 's0:c9' };
    expect(chooseLabels(STANDARD, options, 's0:c1,c2')).toEqual({
      process: 'u_u:r_r:spc_t:s0:c9',
      mount: 'u_u:object_r:container_file_t:s0:c9',
    });
  });

  it('have no level where the policy has none', () => {
    expect(chooseLabels({ process: 'a:b:c', mount: 'd:e:f' }, NONE, 's0:c1,c2')).toEqual({
      process: 'a:b:c',
      mount: 'd:e:f',
    });
  });
});

describe('options', () => {
  it.each(['', 's0', 's0:c0', 's0:c0.c3', 's0:c0,c3', 's0-s0', 's0-s0:c0,c3.c6,c8', 's15:c1023'])(
    'may have the level %p',
    (level) => {
      expect(badOption({ ...NONE, level })).toBeUndefined();
    },
  );

  it.each(['s0,c0', 'c0', 's0:', 's0:c0,', 's0:c12345', 's0:c0"', 's0\n', 's0:c0 ', 'SystemLow'])(
    'may not have the level %p',
    (level) => {
      expect(badOption({ ...NONE, level })).toBe('level');
    },
  );

  it('may have nothing that would end a label', () => {
    expect(badOption({ ...NONE, type: 'spc_t' })).toBeUndefined();
    expect(badOption({ ...NONE, type: 'spc_t:s0' })).toBe('type');
    expect(badOption({ ...NONE, user: 'a",upperdir=/' })).toBe('user');
    expect(badOption({ ...NONE, role: 'a b' })).toBe('role');
  });
});
