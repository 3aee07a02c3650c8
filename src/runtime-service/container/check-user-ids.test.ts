import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { checkUserIds } from './check-user-ids.js';

const range = { containerId: 0, hostId: 1_000_000, length: 1000 };
const userns = { uid: range, gid: { ...range, length: 500 } };
const nothing = { supplementalGroups: [] };

describe('checkUserIds', () => {
  it('takes what the namespace has, and everything without one', () => {
    checkUserIds({ uid: 999, gid: 499, additionalGids: [0, 499] }, { asked: nothing, userns });
    checkUserIds({ uid: 70_000, gid: 70_000, additionalGids: [70_000] }, { asked: nothing, userns: undefined });
  });

  it.each([
    [
      { uid: 1000, gid: 0 },
      { ...nothing, uid: 1000 },
      'invalid-argument',
      'user 1000 is not in the user namespace of the pod, which has the ids from 0 to 999',
    ],
    [
      { uid: 1000, gid: 0 },
      nothing,
      'unstartable',
      'user 1000 is not in the user namespace of the pod, which has the ids from 0 to 999',
    ],
    [
      { uid: 0, gid: 500 },
      { ...nothing, gid: 500 },
      'invalid-argument',
      'group 500 is not in the user namespace of the pod, which has the ids from 0 to 499',
    ],
    [
      { uid: 0, gid: 500 },
      nothing,
      'unstartable',
      'group 500 is not in the user namespace of the pod, which has the ids from 0 to 499',
    ],
    [
      { uid: 0, gid: 0, additionalGids: [0, 600] },
      { supplementalGroups: [600] },
      'invalid-argument',
      'group 600 is not in the user namespace of the pod, which has the ids from 0 to 499',
    ],
    [
      { uid: 0, gid: 0, additionalGids: [0, 600] },
      nothing,
      'unstartable',
      'group 600 is not in the user namespace of the pod, which has the ids from 0 to 499',
    ],
  ])('refuses %j where %j is asked for', (user, asked, code, message) => {
    expect(thrown(() => checkUserIds(user, { asked, userns }))).toMatchObject({ code, message });
  });
});
