import { resourceExhausted } from '../../base/errors.js';
import { readPax, type PaxOverrides } from './pax.js';

/** What comes before one entry: the kernel's limits on names and attributes are far below. */
const MAX_BYTES = 1 << 20;
/** GNU tar writes three, others one. */
const MAX_HEADERS = 32;
/** Of a layer. They go into the file system's own structures, which no limit on the size of files counts. */
const MAX_XATTR_BYTES = 64 << 20;

const none = (): PaxOverrides => ({ xattrs: new Map(), sparse: {} });

/** The extended headers before an entry: they are read into one buffer, and bounded together. */
export class ExtendedHeaders {
  #found = none();
  #headers = 0;
  #bytes = 0;
  #xattrBytes = 0;
  #buffer = Buffer.alloc(0);
  #filled = 0;

  /** @throws resource-exhausted if there are too many before one entry */
  begin(size: number): void {
    this.#bytes += size;
    if (this.#bytes > MAX_BYTES)
      throw resourceExhausted(`an extended header of ${size} bytes, or several of as many together`);
    if (++this.#headers > MAX_HEADERS)
      throw resourceExhausted(`more than ${MAX_HEADERS} extended headers before one entry`);
    if (size > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
  }

  add(part: Buffer): void {
    this.#filled += part.copy(this.#buffer, this.#filled);
  }

  /** Understands what was added. @throws data-loss, resource-exhausted */
  end(flag: string): void {
    const data = this.#buffer.subarray(0, this.#filled);
    if (flag === 'x') readPax(data, this.#found);
    else if (flag === 'L') this.#found.path ??= textOf(data);
    else this.#found.linkPath ??= textOf(data);
  }

  /** What they say, to be used for one entry. @throws data-loss, resource-exhausted */
  take(): PaxOverrides {
    const found = this.#found;
    if (this.#headers === 0) return found;
    this.#countXattrs(found.xattrs);
    this.#found = none();
    this.#headers = 0;
    this.#bytes = 0;
    return found;
  }

  #countXattrs(xattrs: ReadonlyMap<string, Buffer>): void {
    for (const [name, value] of xattrs) this.#xattrBytes += name.length + value.length;
    if (this.#xattrBytes > MAX_XATTR_BYTES)
      throw resourceExhausted(`the layer has more than ${MAX_XATTR_BYTES} bytes of extended attributes`);
  }
}

/** A name up to its NUL. */
function textOf(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end < 0 ? data.length : end);
}
