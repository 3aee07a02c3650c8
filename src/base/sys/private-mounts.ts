import { closeSync, mkdirSync, openSync } from 'node:fs';

import { MS, mountOverlayByData, mountSync, type OverlayRequest } from './calls.js';
import { check, libcSetns, libcUnshare, raw } from './libc.js';

/**
 * Overlays whose layers are idmapped (mount_setattr(2), MOUNT_ATTR_IDMAP): the layers show the ids of a user namespace,
 * so no file of an image is ever given to another owner. Kernel 5.19 and later.
 */

const CLONE_NEWNS = 0x20000;
const CLONE_FS = 0x200;
const AT_EMPTY_PATH = 0x1000;
const MOUNT_ATTR_IDMAP = 0x100000n;

/**
 * Mounts the overlay with its layers as the user namespace at `userns` sees them. The mounts of the single layers are in
 * a mount namespace of the calling thread alone, so a crash leaves none of them.
 */
export function mountIdmappedOverlaySync(request: OverlayRequest, userns: string): void {
  const { target, lower } = request;
  const namespace = openSync(userns, 'r');
  try {
    const overlay = inPrivateMounts(() => {
      mountSync({ source: 'tmpfs', target, type: 'tmpfs' });
      for (const [index, layer] of lower.entries()) {
        mkdirSync(`${target}/${index}`);
        cloneIdmapped(layer, { namespace, target: `${target}/${index}` });
      }
      mountOverlayByData({ ...request, lower: lower.map((_, index) => `${target}/${index}`) });
      return raw.openTreeClone(target);
    });
    attach(check(overlay, 'open_tree', target), target);
  } finally {
    closeSync(namespace);
  }
}

function cloneIdmapped(source: string, { namespace, target }: { namespace: number; target: string }): void {
  const tree = check(raw.openTreeClone(source), 'open_tree', source);
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd }
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
  attributes.writeBigUInt64LE(BigInt(namespace), 24);
  try {
    check(raw.mountSetattr(tree, AT_EMPTY_PATH, attributes), 'mount_setattr', `idmap of ${source}`);
    check(raw.moveMount(tree, target, 4), 'move_mount', target);
  } finally {
    raw.close(tree);
  }
}

function attach(tree: number, target: string): void {
  try {
    check(raw.moveMount(tree, target, 4), 'move_mount', target);
  } finally {
    raw.close(tree);
  }
}

/** Runs `fn` where mounts are seen by nobody else, and goes back; a thread that cannot ends. */
function inPrivateMounts<T>(fn: () => T): T {
  const home = openSync('/proc/thread-self/ns/mnt', 'r');
  try {
    check(libcUnshare(CLONE_NEWNS | CLONE_FS) as number, 'unshare', 'mount namespace');
    try {
      mountSync({ source: 'none', target: '/', flags: MS.REC | MS.PRIVATE });
      return fn();
    } finally {
      if ((libcSetns(home, CLONE_NEWNS) as number) !== 0) process.exit(1);
    }
  } finally {
    closeSync(home);
  }
}
