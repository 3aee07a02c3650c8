import { describe, expect, it } from '@jest/globals';

import { hasId, lastId, toHostId, toHostUser } from './id-mapping.js';

const uid = { containerId: 0, hostId: 1_000_000, length: 1000 };
const gid = { containerId: 10, hostId: 2_000_000, length: 5 };

describe('a range of ids', () => {
  it.each([
    [uid, 0, true, 1_000_000],
    [uid, 999, true, 1_000_999],
    [uid, 1000, false, 65_534],
    [gid, 9, false, 65_534],
    [gid, 10, true, 2_000_000],
    [gid, 14, true, 2_000_004],
    [gid, 15, false, 65_534],
  ])('%j has %d: %p, which is %d on the host', (mapping, id, has, host) => {
    expect([hasId(mapping, id), toHostId(mapping, id)]).toEqual([has, host]);
  });

  it('has a last one', () => {
    expect([lastId(uid), lastId(gid)]).toEqual([999, 14]);
  });

  it('tells who a user is on the host', () => {
    const user = { uid: 5, gid: 11, additionalGids: [1] };
    expect(toHostUser(user, { uid, gid })).toEqual({ uid: 1_000_005, gid: 2_000_001 });
    expect(toHostUser(user, undefined)).toEqual({ uid: 5, gid: 11 });
  });
});
