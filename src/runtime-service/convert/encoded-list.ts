import { Writer } from 'protobufjs/minimal.js';

/** The tag of field 1 with a length before its bytes, which is what the lists of CRI responses are. */
const FIELD_1_BYTES = 0x0a;

/**
 * The bytes of a response that is a list of messages in field 1, from each object's bytes, which are encoded once: objects
 * are frozen and replaced when they change, so an object stands for its bytes.
 */
export class EncodedList<T extends object> {
  readonly #encode: (item: T) => Uint8Array;
  readonly #known = new WeakMap<T, Uint8Array>();

  constructor(encode: (item: T) => Uint8Array) {
    this.#encode = encode;
  }

  join(items: readonly T[]): Uint8Array {
    return Buffer.concat(this.entries(items));
  }

  /** The bytes of each, which are the bytes of the list when they are joined, wherever it is cut. */
  entries(items: readonly T[]): Uint8Array[] {
    return items.map((item) => this.#entry(item));
  }

  /** The object as an entry of the list: tag, length, bytes. */
  #entry(item: T): Uint8Array {
    const known = this.#known.get(item);
    if (known !== undefined) return known;
    const entry = Writer.create().uint32(FIELD_1_BYTES).bytes(this.#encode(item)).finish();
    this.#known.set(item, entry);
    return entry;
  }
}
