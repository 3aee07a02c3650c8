import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { unstartable } from '../../base/errors.js';
import { lookAtPath, readHostLink, toLook, type PathLook } from '../../base/host-paths.js';
import type { OciMount } from './types.js';

/** Where a path leads to in a container. */
export interface ViewedPath {
  /** Without links, as the container has it. */
  readonly path: string;
  /** The same on the host; absent in a file system that the runtime makes: /proc, /sys, /dev. */
  readonly hostPath?: string;
  /** Of the image, which is on a disk of ours and does not change; else of a mount, which may hang, and change. */
  readonly ofImage: boolean;
  /** Absent in a file system that the runtime makes. */
  readonly look?: PathLook;
}

/** As the kernel does (path_resolution(7)). */
const MAX_LINKS = 40;
const WHAT = { what: 'mount source' };

interface Spot extends ViewedPath {
  readonly missing?: true;
}

/**
 * A container's file system before there is a container: its root with its mounts over it. It tells what the runtime will
 * find, whose first process opens files there as the node's root. Nothing is opened, and what may hang is asked by a child.
 */
export class ContainerView {
  readonly #root: Spot;
  readonly #asked: readonly OciMount[];
  /** By path without links. */
  readonly #mounts = new Map<string, OciMount>();
  readonly #looks = new Map<string, Promise<PathLook | undefined>>();
  #placed: Promise<void> | undefined;

  /** @param mounts in the order in which they are made. */
  constructor(rootfs: string, mounts: readonly OciMount[]) {
    this.#root = { path: '/', hostPath: rootfs, ofImage: true, look: { type: 'directory', size: 0 } };
    this.#asked = mounts;
  }

  /**
   * Undefined where the path leads to nothing.
   * @throws deadline-exceeded for a mount's source that does not answer; unstartable for a mount point that no mount can be at.
   */
  async find(path: string): Promise<ViewedPath | undefined> {
    this.#placed ??= this.#place();
    await this.#placed;
    const found = await this.#walk(path);
    return found?.missing ? undefined : found;
  }

  /** The runtime follows links to mount points, too, and makes those that are missing. */
  async #place(): Promise<void> {
    for (const mount of this.#asked) {
      const point = isBind(mount) ? await this.#pointOf(mount) : undefined;
      this.#mounts.set(point?.path ?? posix.normalize(mount.destination), mount);
    }
  }

  async #pointOf({ destination }: OciMount): Promise<Spot> {
    const point = await this.#walk(destination);
    if (point === undefined) throw unstartable(`mount point ${destination} leads through too many links`);
    if (point.path === '/') throw unstartable(`mount point ${destination} leads to the container's root`);
    return point;
  }

  async #walk(path: string): Promise<Spot | undefined> {
    const names = path.split('/');
    let stack = [this.#root];
    for (let links = 0; names.length > 0;) {
      const name = names.shift() ?? '';
      const here = stack.at(-1) ?? this.#root;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const spot = await this.#enter(here, name);
      if (spot.look?.type !== 'link') {
        stack.push(spot);
        continue;
      }
      if (++links > MAX_LINKS) return undefined;
      const target = await this.#targetOf(spot);
      if (target.startsWith('/')) stack = [this.#root];
      names.unshift(...target.split('/'));
    }
    return stack.at(-1);
  }

  async #enter(here: Spot, name: string): Promise<Spot> {
    const path = join(here.path, name);
    const mount = this.#mounts.get(path);
    if (mount !== undefined && !isBind(mount)) return { path, ofImage: false };
    const hostPath = mount?.source ?? (here.hostPath && join(here.hostPath, name));
    if (hostPath === undefined) return { path, ofImage: false };
    const ofImage = mount === undefined && here.ofImage;
    const beyond = mount === undefined && (here.missing || here.look?.type !== 'directory');
    // mount(2) follows links of the host to a source; in it they are the container's to follow.
    const look = beyond ? undefined : await this.#look(hostPath, { ofImage, follow: mount !== undefined });
    return look === undefined ? { path, hostPath, ofImage, missing: true } : { path, hostPath, ofImage, look };
  }

  #look(path: string, how: { readonly ofImage: boolean; readonly follow: boolean }): Promise<PathLook | undefined> {
    const known = this.#looks.get(path) ?? (how.ofImage ? lookHere(path) : lookAtPath(path, { ...WHAT, ...how }));
    this.#looks.set(path, known);
    return known;
  }

  #targetOf({ hostPath = '', ofImage }: Spot): Promise<string> {
    return ofImage ? readlink(hostPath) : readHostLink(hostPath, WHAT);
  }
}

function isBind({ type, options }: OciMount): boolean {
  return type === 'bind' || options.includes('bind') || options.includes('rbind');
}

async function lookHere(path: string): Promise<PathLook | undefined> {
  const found = await lstat(path).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((error as { code?: string }).code ?? '')) return undefined;
    throw error;
  });
  return found && toLook(found);
}
