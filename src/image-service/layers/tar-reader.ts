import {
  codeOf,
  dataLoss,
  describeError,
  errnoOf,
  GantryError,
  codeFor,
  resourceExhausted,
  type ErrorCode,
} from '../../base/errors.js';
import { ExtendedHeaders } from './extended-headers.js';
import { checkName } from './paths.js';
import type { PaxOverrides } from './pax.js';
import {
  checkFragments,
  FragmentCursor,
  GnuMapReader,
  parseFragments,
  PaxMapReader,
  type Fragment,
  type MapReader,
} from './sparse.js';
import { BLOCK, displayName, readHeader, type TarHeader } from './tar-header.js';

export type EntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** One file of an archive. `name` and `linkName` are binary strings, see {@link TarHeader}. */
export interface TarEntry {
  readonly type: EntryType;
  readonly name: string;
  readonly linkName: string;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a sparse file with its holes. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  readonly device: { readonly major: number; readonly minor: number };
  /** By name, a binary string. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Bytes that the archive has of a sparse file; what no `data` tells of are holes. */
  readonly stored?: number;
}

/** Takes an archive's entries in order: `entry`, any number of `data`, `entryEnd`. */
export interface TarSink {
  /** Told first what the reader lets through, for what the sink makes on its own. */
  bound?(limits: UnpackLimits): void;
  entry(entry: TarEntry): void;
  /** @param position in the file, for sparse ones; else it follows what came before. */
  data(chunk: Buffer, position?: number): void;
  entryEnd(): void;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/** Bounds against archives that grow without end when unpacked. */
export interface UnpackLimits {
  readonly maxEntries: number;
  /** Bytes of the uncompressed archive, and of its files. */
  readonly maxBytes: number;
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'data'; left: number; readonly padding: number; readonly cursor?: FragmentCursor }
  | { readonly at: 'meta'; left: number; readonly padding: number; readonly flag: string }
  | { readonly at: 'skip'; left: number; readonly padding: number }
  | { readonly at: 'map'; left: number; readonly block: Buffer; readonly sparse: SparseFile }
  | { readonly at: 'padding'; left: number }
  | { readonly at: 'end' };

/** A sparse file whose list of fragments is being read. */
interface SparseFile {
  readonly entry: TarEntry;
  readonly map: MapReader;
  /** Bytes that follow the header, or what is left of them. */
  stored: number;
  /** True if the list is counted among them. */
  readonly counted: boolean;
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
/** Errors of the kernel repeat the whole path. */
const MAX_REASON = 300;

/**
 * Reads a tar archive pushed in pieces of any size, without ever looking back; synchronous, so that an unpacking
 * thread spends its time in system calls only. An error of the sink is wrapped with the entry's name.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #limits: UnpackLimits;
  readonly #block = Buffer.alloc(BLOCK);
  #have = 0;
  #state: State = { at: 'header' };
  readonly #extended = new ExtendedHeaders();
  #entries = 0;
  #bytes = 0;
  #zeroBlocks = 0;
  /** The name of the entry that is being read, undefined between entries. */
  #name: string | undefined;

  constructor(sink: TarSink, limits: UnpackLimits) {
    this.#sink = sink;
    this.#limits = limits;
    sink.bound?.(limits);
  }

  /** @throws with the entry's name: data-loss if the archive is broken, resource-exhausted past a limit. */
  push(chunk: Buffer): void {
    try {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(this.#take(rest));
    } catch (error) {
      if (this.#name === undefined) throw error;
      throw entryError(this.current, error);
    }
  }

  /** The entry that is being read, for messages; empty between entries. */
  get current(): string {
    return this.#name === undefined ? '' : displayName(this.#name);
  }

  /** Says that nothing follows. An archive may lack its two blocks of zeros and the padding before them: umoci writes none. */
  end(): void {
    if (this.#state.at === 'end' || this.#state.at === 'padding' || (this.#state.at === 'header' && this.#have === 0))
      return;
    throw dataLoss(
      `the archive ends in the middle of ${this.#name === undefined ? 'a header' : `entry ${this.current}`}`,
    );
  }

  /** Handles the front of `chunk` and returns how many bytes that was: at least one. */
  #take(chunk: Buffer): number {
    const state = this.#state;
    if (state.at === 'end') return chunk.length;
    if (state.at === 'header') return this.#takeHeader(chunk);
    const hole = state.at === 'data' ? state.cursor?.next() : undefined;
    const room = Math.min(state.left, hole?.room ?? state.left);
    const part = chunk.length <= room ? chunk : chunk.subarray(0, room);
    state.left -= part.length;
    if (state.at === 'data') this.#sink.data(part, hole?.position);
    else if (state.at === 'meta') this.#extended.add(part);
    else if (state.at === 'map') part.copy(state.block, BLOCK - state.left - part.length);
    if (state.at === 'data') state.cursor?.advance(part.length);
    if (state.left === 0) this.#finishPart(state);
    return part.length;
  }

  #takeHeader(chunk: Buffer): number {
    if (this.#have === 0 && chunk.length >= BLOCK) {
      this.#onHeader(chunk.subarray(0, BLOCK));
      return BLOCK;
    }
    const taken = chunk.copy(this.#block, this.#have, 0, BLOCK - this.#have);
    this.#have += taken;
    if (this.#have === BLOCK) {
      this.#have = 0;
      this.#onHeader(this.#block);
    }
    return taken;
  }

  #onHeader(block: Buffer): void {
    const header = readHeader(block);
    if (header === undefined) {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = { at: 'end' };
      return;
    }
    if (this.#zeroBlocks > 0) throw dataLoss('the archive goes on after a block of zeros');
    this.#name = header.name;
    const { maxEntries } = this.#limits;
    if (++this.#entries > maxEntries) throw resourceExhausted(`the layer has more than ${maxEntries} entries`);
    if (header.size < 0) throw dataLoss('the size is negative');
    if ('xLK'.includes(header.flag)) this.#beginMeta(header);
    else if (header.flag === 'g') this.#skip(header);
    else if (header.flag === 'S') this.#beginGnuSparse(header, new GnuMapReader(block));
    else this.#beginEntry(header);
  }

  #beginMeta({ flag, size }: TarHeader): void {
    this.#extended.begin(size);
    this.#state = { at: 'meta', left: size, padding: padding(size), flag };
    if (size === 0) this.#finishPart(this.#state);
  }

  /** A global header holds defaults that images do not use: comments of git. */
  #skip({ size }: TarHeader): void {
    this.#state = { at: 'skip', left: size, padding: padding(size) };
    if (size === 0) this.#finishPart(this.#state);
  }

  #beginEntry(header: TarHeader): void {
    const pax = this.#extended.take();
    const { sparse } = pax;
    const entry = this.#named(toEntry(header, pax));
    if (entry.type !== 'file' || (sparse.numbers === undefined && sparse.listed !== true))
      this.#start(entry, entry.size);
    else if (sparse.listed === true) this.#readMap(sparseFile(entry, sparse.size, new PaxMapReader(), true));
    else this.#startSparse(sparseFile(entry, sparse.size), parseFragments(sparse.numbers ?? []));
  }

  #beginGnuSparse(header: TarHeader, map: GnuMapReader): void {
    const entry = this.#named(toEntry(header, this.#extended.take()));
    const file = sparseFile(entry, map.size, map);
    if (map.more) this.#readMap(file);
    else this.#startSparse(file, map.fragments);
  }

  /** From here on, errors are the entry's. */
  #named(entry: TarEntry): TarEntry {
    this.#name = entry.name;
    return entry;
  }

  #readMap(sparse: SparseFile): void {
    if (sparse.counted) sparse.stored -= BLOCK;
    if (sparse.stored < 0) throw dataLoss('the sparse file ends in its list of fragments');
    this.#state = { at: 'map', left: BLOCK, block: Buffer.alloc(BLOCK), sparse };
  }

  #onMap(sparse: SparseFile, block: Buffer): void {
    sparse.map.add(block);
    if (sparse.map.more) this.#readMap(sparse);
    else this.#startSparse(sparse, sparse.map.fragments);
  }

  #startSparse({ entry, stored }: SparseFile, fragments: readonly Fragment[]): void {
    checkFragments(fragments, { size: entry.size, stored });
    this.#start({ ...entry, stored }, stored, new FragmentCursor(fragments));
  }

  #start(entry: TarEntry, stored: number, cursor?: FragmentCursor): void {
    const { maxBytes } = this.#limits;
    this.#bytes += entry.size;
    if (this.#bytes > maxBytes) throw resourceExhausted(`the files of the layer have more than ${maxBytes} bytes`);
    this.#sink.entry(entry);
    this.#state = { at: 'data', left: stored, padding: padding(stored), ...(cursor === undefined ? {} : { cursor }) };
    if (stored === 0) this.#finishPart(this.#state);
  }

  #finishPart(state: Exclude<State, { at: 'header' | 'end' }>): void {
    if (state.at === 'map') {
      this.#onMap(state.sparse, state.block);
      return;
    }
    const pad = state.at === 'padding' ? 0 : state.padding;
    this.#state = pad > 0 ? { at: 'padding', left: pad } : { at: 'header' };
    if (state.at === 'data') this.#sink.entryEnd();
    if (state.at === 'meta') this.#extended.end(state.flag);
    if (state.at !== 'meta' && pad === 0) this.#name = undefined;
  }
}

function toEntry(header: TarHeader, pax: PaxOverrides): TarEntry {
  const name = pax.sparse.name ?? pax.path ?? header.name;
  const type = header.flag === '0' && name.endsWith('/') ? 'directory' : TYPES[header.flag];
  if (type === undefined) throw dataLoss(`tar entry type ${JSON.stringify(header.flag)} is not supported`);
  return {
    type,
    name: checkName(name, 'name'),
    linkName: checkName(pax.linkPath ?? header.linkName, 'link target'),
    mode: header.mode,
    uid: ownerId(pax.uid ?? header.uid),
    gid: ownerId(pax.gid ?? header.gid),
    // Other types have no data, whatever the field says: writers put the linked file's size there.
    size: type === 'file' ? (pax.size ?? header.size) : 0,
    mtimeNs: pax.mtimeNs ?? BigInt(header.mtime) * 1_000_000_000n,
    device: { major: header.major, minor: header.minor },
    xattrs: pax.xattrs,
  };
}

/** @param size as its own headers say; a file without is as long as what is stored */
function sparseFile(entry: TarEntry, size = entry.size, map: MapReader = NO_MAP, counted = false): SparseFile {
  return { entry: { ...entry, size }, map, stored: entry.size, counted };
}

const NO_MAP: MapReader = { more: false, fragments: [], add: () => undefined };

/** What is wrong with this machine, rather than with the archive. */
const OWN_TROUBLE: readonly string[] = ['EIO', 'EROFS', 'EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM'];

/** Without a cause: that would be told as a whole. @param entry as {@link displayName} has it */
export function entryError(entry: string, error: unknown): GantryError {
  return new GantryError(codeOfEntry(error), `entry ${entry}: ${describeError(error).slice(0, MAX_REASON)}`);
}

/** A name that is too long, an attribute that the kernel refuses …: what it does not take is the archive's fault. */
function codeOfEntry(error: unknown): ErrorCode {
  const errno = errnoOf(error);
  const theirs = codeOf(error) === undefined && errno !== undefined && !OWN_TROUBLE.includes(errno);
  return codeFor(error, theirs ? 'data-loss' : 'internal');
}

/** The highest id stands for "unchanged" in chown(2), so it cannot be given to a file. */
function ownerId(id: number): number {
  if (id >= 0 && id < 0xffff_ffff) return id;
  throw dataLoss(`owner ${id} is out of range`);
}
