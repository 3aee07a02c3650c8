import { chmodSync, chownSync, lchownSync, lstatSync } from 'node:fs';

import { errnoOf } from '../../base/errors.js';
import { lremovexattrSync, lsetxattrSync } from '../../base/sys/calls.js';
import { lutimensSync } from '../../base/sys/times.js';
import { readXattrsSync } from '../../base/sys/xattr.js';
import { toPath } from './paths.js';

/** What a file has besides its content. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  /** By name, a binary string. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

const NONE: ReadonlyMap<string, Buffer> = new Map();

/** A directory that neither its layer nor those below describe. The time is fixed so that trees come out the same. */
export const DEFAULT_DIRECTORY: Attributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: NONE };

export const OVERLAY = 'trusted.overlay.';
export const OPAQUE = `${OVERLAY}opaque`;

/**
 * Attributes that an image may not bring: overlayfs's own, which could point a directory elsewhere, and SELinux
 * labels, which belong to the host's policy.
 */
export const isForeign = (name: string): boolean => name.startsWith(OVERLAY) || name === 'security.selinux';

/** Applies all attributes to a directory, or to a file that is not a link; owner first, since chown clears setuid. */
export function applyAttributes(path: string, attributes: Attributes): void {
  const target = toPath(path);
  chownSync(target, attributes.uid, attributes.gid);
  chmodSync(target, attributes.mode);
  applyXattrs(path, attributes.xattrs);
  lutimensSync(target, attributes.mtimeNs);
}

/** The attributes that a symbolic link can have. */
export function applyLinkAttributes(path: string, attributes: Attributes): void {
  const target = toPath(path);
  lchownSync(target, attributes.uid, attributes.gid);
  applyXattrs(path, attributes.xattrs);
  lutimensSync(target, attributes.mtimeNs);
}

/** Touch what is put into a directory, or its mode, so they are set at last. */
const isLate = (name: string): boolean => name.startsWith('system.posix_acl_');

export function lateXattrs(xattrs: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return NONE;
  return new Map([...xattrs].filter(([name]) => isLate(name)));
}

/** Applies the attributes of a directory that need not wait until all is in it. */
export function applyEarlyXattrs(path: string, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) if (!isForeign(name) && !isLate(name)) setXattr(path, name, value);
}

/** Takes back what {@link applyEarlyXattrs} has set. */
export function clearXattrs(path: string): void {
  for (const name of readXattrsSync(toPath(path)).keys())
    if (!isForeign(name)) lremovexattrSync(toPath(path), toPath(name));
}

export function applyXattrs(path: string, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) if (!isForeign(name)) setXattr(path, name, value);
}

/** A file system without user attributes is no reason to refuse an image; a lost file capability is. */
function setXattr(path: string, name: string, value: Buffer): void {
  try {
    lsetxattrSync(toPath(path), toPath(name), value);
  } catch (error) {
    const unsupported = errnoOf(error) === 'ENOTSUP' || errnoOf(error) === 'EOPNOTSUPP';
    if (!unsupported || name.startsWith('security.')) throw error;
  }
}

export function markOpaque(path: string): void {
  lsetxattrSync(toPath(path), OPAQUE, Buffer.from('y'));
}

/** The attributes of a directory in a layer that is already unpacked. */
export function readAttributes(path: string): Attributes {
  const { mode, uid, gid, mtimeNs } = lstatSync(toPath(path), { bigint: true });
  const xattrs = readXattrsSync(toPath(path));
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), mtimeNs, xattrs };
}
