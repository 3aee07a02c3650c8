import { join } from 'node:path';

import { describeError } from '../base/errors.js';
import { ensureDirectory, removeTree } from '../base/files.js';
import { mountIdmappedOverlay, unmount } from '../base/sys/sys.js';
import { withUserNamespace } from './user-namespace.js';

/** What this node's kernel and file systems can do, found out by trying. */
export class HostFeatures {
  readonly #directory: string;
  #idmappedLayers: Promise<string> | undefined;

  /** @param root on the file system that has the images' layers; `<root>/probe` is used for the trial. */
  constructor(root: string) {
    this.#directory = join(root, 'probe');
  }

  /** Why overlays of idmapped layers cannot be mounted; empty where they can. Tried once. */
  idmappedLayers(): Promise<string> {
    this.#idmappedLayers ??= this.#try();
    return this.#idmappedLayers;
  }

  async #try(): Promise<string> {
    const [target, ...lower] = ['target', 'a', 'b'].map((name) => join(this.#directory, name));
    if (target === undefined) return '';
    try {
      await this.#clean(target);
      for (const dir of [target, ...lower]) await ensureDirectory(dir, 0o755);
      const range = { containerId: 0, hostId: 65_536, length: 65_536 };
      await withUserNamespace({ uid: range, gid: range }, (pid) =>
        mountIdmappedOverlay({ lower, target }, `/proc/${pid}/ns/user`),
      );
      return '';
    } catch (error) {
      return `overlays of idmapped layers cannot be mounted: ${describeError(error)}`;
    } finally {
      // What resists is removed before the next trial.
      await this.#clean(target).catch(() => undefined);
    }
  }

  async #clean(target: string): Promise<void> {
    await unmount(target, { detach: true });
    await removeTree(this.#directory);
  }
}
