import { mkdir, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../../base/testing.js';
import { resolveUser, type UserRequest } from './user.js';

const scratch = useScratch('user');

const PASSWD = `root:x:0:0:root:/root:/bin/sh
app:x:1000:1001::/:
bare:x:1002
1000:x:0:0:an impostor:/:
4294967295:x:0:0::/:
:x:7:7::/:
big:x:4294967295:1::/:
minus:x:-1:0::/:
`;
const GROUP = `root:x:0:
app:x:1001:
wheel:x:10:root,app
audio:x:29:app
2000:x:0:app2
nogid:x::app
`;

async function resolve(request: Partial<UserRequest>, files: { passwd?: string; group?: string } = {}) {
  await mkdir(scratch.path('etc'), { recursive: true });
  await writeFile(scratch.path('etc', 'passwd'), files.passwd ?? PASSWD);
  await writeFile(scratch.path('etc', 'group'), files.group ?? GROUP);
  const usual = { username: '', supplementalGroups: [], groupsPolicy: 'merge', imageUser: '' } as const;
  return resolveUser(scratch.root, { ...usual, ...request });
}

describe('resolveUser', () => {
  it.each<[string, Partial<UserRequest>, [number, number, number[]]]>([
    ['nobody asked for', {}, [0, 0, [0, 10]]],
    ['a name of the image', { imageUser: 'app' }, [1000, 1001, [1001, 10, 29]]],
    ['a name and a group', { imageUser: 'app:audio' }, [1000, 29, [29, 10]]],
    ['a name and no group', { imageUser: 'app:' }, [1000, 1001, [1001, 10, 29]]],
    ['a number of the image', { imageUser: '1002:5' }, [1002, 5, [5]]],
    ['a group alone', { imageUser: ':wheel' }, [0, 10, [10]]],
    ['the request before the image', { uid: 1002, imageUser: 'app:audio' }, [1002, 0, [0]]],
    ['a name asked for', { username: 'app', imageUser: 'root' }, [1000, 1001, [1001, 10, 29]]],
    ['a group asked for', { uid: 1000, gid: 3000 }, [1000, 3000, [3000, 10, 29]]],
    ['more groups', { uid: 1000, supplementalGroups: [5, 10, 5] }, [1000, 1001, [1001, 10, 29, 5]]],
    [
      'only the groups asked for',
      { uid: 1000, supplementalGroups: [5], groupsPolicy: 'strict' },
      [1000, 1001, [1001, 5]],
    ],
    ['a number that a user is called by', { uid: 1000 }, [1000, 1001, [1001, 10, 29]]],
    ['the same in the image', { imageUser: '1000' }, [1000, 1001, [1001, 10, 29]]],
    ['a number that a group is called by', { imageUser: 'app:2000' }, [1000, 2000, [2000, 10, 29]]],
    ['a number unknown to the image', { uid: 4_294_967_294 }, [4_294_967_294, 0, [0]]],
  ])('%s', async (_, request, [uid, gid, additionalGids]) => {
    const user = await resolve(request);
    expect({ ...user, additionalGids: [...(user.additionalGids ?? [])].sort() }).toEqual({
      ...{ uid, gid, additionalGids: [...additionalGids].sort() },
    });
  });

  it('makes do without the files', async () => {
    const usual = { supplementalGroups: [], groupsPolicy: 'merge', imageUser: '' } as const;
    const user = await resolveUser(scratch.root, { ...usual, username: '5' });
    expect(user).toEqual({ uid: 5, gid: 0, additionalGids: [0] });
  });

  it.each([
    ['ghost', `the image's /etc/passwd has no user "ghost"`],
    ['bare', `the image's /etc/passwd has no user "bare"`],
    ['big', `the image's /etc/passwd has no user "big"`],
    ['minus', `the image's /etc/passwd has no user "minus"`],
    ['4294967296', `the image's /etc/passwd has no user "4294967296"`],
    ['-1', `the image's /etc/passwd has no user "-1"`],
    ['app:ghosts', `the image's /etc/group has no group "ghosts"`],
    ['app:nogid', `the image's /etc/group has no group "nogid"`],
    ['app:4294967295', `the image's /etc/group has no group "4294967295"`],
    ['../app', `the image's /etc/passwd has no user "../app"`],
  ])('says that the image has no %s', async (imageUser, message) => {
    expect(await rejection(resolve({ imageUser }))).toMatchObject({ code: 'unstartable', message });
  });

  it.each(['4294967295', '-5', '99999999999'])('never takes the number %s for a name', async (number) => {
    const files = { passwd: `${number}:x:0:0::/:\n`, group: `${number}:x:0:\n` };
    expect((await rejection(resolve({ imageUser: number }, files))).code).toBe('unstartable');
    expect((await rejection(resolve({ username: number }, files))).code).toBe('unstartable');
    expect((await rejection(resolve({ imageUser: `0:${number}` }, files))).code).toBe('unstartable');
  });

  it('refuses a group without a user', async () => {
    expect(await rejection(resolve({ gid: 5 }))).toMatchObject({
      code: 'invalid-argument',
      message: 'run_as_group is set without run_as_user or run_as_username',
    });
  });
});

describe('a hostile image', () => {
  const request = { username: 'app', supplementalGroups: [], groupsPolicy: 'merge', imageUser: '' } as const;

  it('cannot make us read a file of the host', async () => {
    await mkdir(scratch.path('root', 'etc'), { recursive: true });
    await writeFile(scratch.path('passwd'), PASSWD);
    await symlink('../../passwd', scratch.path('root', 'etc', 'passwd'));
    await symlink(scratch.path('passwd'), scratch.path('root', 'etc', 'group'));
    expect((await rejection(resolveUser(scratch.path('root'), request))).message).toContain('has no user "app"');
  });

  it('cannot make us wait or read without end', async () => {
    await mkdir(scratch.path('root', 'etc'), { recursive: true });
    await symlink('/proc/kmsg', scratch.path('root', 'etc', 'passwd'));
    await mkdir(scratch.path('root', 'etc', 'group'));
    expect((await rejection(resolveUser(scratch.path('root'), request))).code).toBe('unstartable');
    const passwd = 'x'.repeat(5 << 20);
    expect((await rejection(resolve({ username: 'app' }, { passwd }))).message).toContain(
      'has more than 4194304 bytes',
    );
  });

  it('cannot harm by what is no table', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 58, 58, 58, 58, 10]).toString('latin1');
    const passwd = `${bytes}\n::::::\n:::\n\napp:x:9:9\napp:x:0:0\n`;
    expect(await resolve({ username: 'app' }, { passwd, group: `${bytes}\napp\nwheel:x:10:app,,\n` })).toEqual({
      ...{ uid: 9, gid: 9, additionalGids: [9, 10] },
    });
  });
});
