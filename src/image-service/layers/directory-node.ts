import type { Attributes } from './attributes.js';

/** A directory of the layer that is being unpacked. Who holds a node knows that every part of its path is one. */
export class DirectoryNode {
  readonly #parent: DirectoryNode | undefined;
  readonly #name: string;
  /** Those that are in memory. */
  children: Map<string, DirectoryNode> | undefined;
  /** What is set at the end. Absent while no entry describes the directory: the layers below do. */
  attributes: Attributes | undefined;
  /** Hides what the layers below have in it. */
  opaque: boolean;
  /** Is another directory than that of the layers below, and takes nothing from it. */
  fresh: boolean;
  /** What is said of it here has been written to the disk, too. */
  noted = false;

  /** @param name of the root its path, as a binary string */
  constructor(parent: DirectoryNode | undefined, name: string, fresh = false) {
    this.#parent = parent;
    this.#name = name;
    this.opaque = fresh;
    this.fresh = fresh;
  }

  /** Not kept: a layer may have as many directories as it likes, and their paths are long. */
  get path(): string {
    return this.#parent === undefined ? this.#name : `${this.#parent.path}/${this.#name}`;
  }

  add(name: string, child: DirectoryNode): DirectoryNode {
    this.children ??= new Map();
    this.children.set(name, child);
    return child;
  }
}
