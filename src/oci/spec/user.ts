import { invalidArgument, unstartable } from '../../base/errors.js';
import { readInRoot } from '../../base/sys/sys.js';
import type { OciUser } from './types.js';

/** Who a container runs as: CRI's LinuxContainerSecurityContext over the image's `User`. */
export interface UserRequest {
  readonly uid?: number;
  readonly username: string;
  readonly gid?: number;
  readonly supplementalGroups: readonly number[];
  /** `merge`: the image's /etc/group counts too; `strict`: only what is listed. */
  readonly groupsPolicy: 'merge' | 'strict';
  /** `user[:group]` of the image's configuration, each a name or a number. */
  readonly imageUser: string;
}

/** A table that is larger is refused; the largest distributions' have some kilobytes. */
export const MAX_TABLE_BYTES = 4 << 20;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves names against the image's own /etc/passwd and /etc/group, read below `rootfs` without following links
 * out of it. A number is always the id: an image must not make root of it by a user of that name. The primary group is
 * among the supplementary ones, else files that deny it could be read by leaving it.
 * @throws unstartable naming a user or group that the image does not have; invalid-argument for a group
 * without a user (CRI: run_as_group needs run_as_user or run_as_username).
 */
export async function resolveUser(rootfs: string, request: UserRequest): Promise<OciUser> {
  const [passwd, groups] = await Promise.all([readTable(rootfs, '/etc/passwd'), readTable(rootfs, '/etc/group')]);
  const { user, group } = wanted(request);
  const entry = findUser(passwd.flatMap(parsePasswd), user);
  const groupEntries = groups.flatMap(parseGroup);
  const gid = group === '' ? entry.gid : findGroup(groupEntries, group);
  const fromImage = request.groupsPolicy === 'strict' ? [] : memberships(groupEntries, entry.name);
  return { uid: entry.uid, gid, additionalGids: [...new Set([gid, ...fromImage, ...request.supplementalGroups])] };
}

/** The user and group asked for, as text: the request's before the image's. */
function wanted({ uid, username, gid, imageUser }: UserRequest): { user: string; group: string } {
  const asked = uid === undefined ? username : String(uid);
  if (asked === '') {
    if (gid !== undefined) throw invalidArgument('run_as_group is set without run_as_user or run_as_username');
    const [user = '', group = ''] = imageUser.split(':');
    return { user, group };
  }
  return { user: asked, group: gid === undefined ? '' : String(gid) };
}

function findUser(entries: readonly PasswdEntry[], user: string): PasswdEntry {
  if (user === '') return findUser(entries, '0');
  const uid = parseId(user);
  if (uid !== undefined) return entries.find((entry) => entry.uid === uid) ?? { name: '', uid, gid: 0, home: '' };
  const named = isNumeric(user) ? undefined : entries.find((entry) => entry.name === user);
  if (named === undefined) throw unstartable(`the image's /etc/passwd has no user "${user}"`);
  return named;
}

function findGroup(entries: readonly GroupEntry[], group: string): number {
  const gid = isNumeric(group) ? parseId(group) : entries.find((entry) => entry.name === group)?.gid;
  if (gid === undefined) throw unstartable(`the image's /etc/group has no group "${group}"`);
  return gid;
}

function memberships(entries: readonly GroupEntry[], name: string): number[] {
  return name === '' ? [] : entries.filter((entry) => entry.members.includes(name)).map((entry) => entry.gid);
}

async function readTable(rootfs: string, path: string): Promise<string[]> {
  const bytes = await readInRoot(rootfs, path, MAX_TABLE_BYTES + 1);
  if (bytes === undefined) return [];
  if (bytes.length > MAX_TABLE_BYTES) throw unstartable(`the image's ${path} has more than ${MAX_TABLE_BYTES} bytes`);
  return bytes.toString().split('\n');
}

/** passwd(5): name:password:uid:gid:comment:home:shell. */
export function parsePasswd(line: string): PasswdEntry[] {
  const [name = '', , uidText = '', gidText = '', , home = ''] = line.split(':');
  const uid = parseId(uidText);
  const gid = parseId(gidText);
  return name === '' || uid === undefined || gid === undefined ? [] : [{ name, uid, gid, home }];
}

/** group(5): name:password:gid:members. */
function parseGroup(line: string): GroupEntry[] {
  const [name = '', , gidText = '', members = ''] = line.split(':');
  const gid = parseId(gidText);
  return name === '' || gid === undefined ? [] : [{ name, gid, members: members.trim().split(',') }];
}

function isNumeric(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/** A uid or gid: 32 bits, without the two values that mean "no change". */
function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 0xffff_ffff ? id : undefined;
}
