import { dataLoss, GantryError, describeError, codeFor, resourceExhausted } from '../../base/errors.js';
import { readPax, type PaxOverrides } from './pax.js';
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
  readonly size: number;
  readonly mtime: number;
  readonly device: { readonly major: number; readonly minor: number };
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** Takes an archive's entries in order: `entry`, any number of `data`, `entryEnd`. */
export interface TarSink {
  entry(entry: TarEntry): void;
  data(chunk: Buffer): void;
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
};

/** Extended headers and long names are kept in memory; the kernel's limits on names and attributes are far below. */
const MAX_META = 1 << 20;

type State =
  | { readonly at: 'header' }
  | { readonly at: 'data'; left: number; readonly padding: number }
  | { readonly at: 'meta'; left: number; readonly padding: number; readonly flag: string; readonly parts: Buffer[] }
  | { readonly at: 'padding'; left: number }
  | { readonly at: 'end' };

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
const noOverrides = (): PaxOverrides => ({ xattrs: new Map() });

/**
 * Reads a tar archive pushed in pieces of any size, without ever looking back; synchronous, so that an unpacking
 * thread spends its time in system calls only. An error of the sink is wrapped with the entry's name.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #maxEntries: number;
  readonly #block = Buffer.alloc(BLOCK);
  #have = 0;
  #state: State = { at: 'header' };
  #overrides = noOverrides();
  #entries = 0;
  #zeroBlocks = 0;
  #current = '';

  constructor(sink: TarSink, maxEntries: number) {
    this.#sink = sink;
    this.#maxEntries = maxEntries;
  }

  /** @throws with the entry's name: data-loss if the archive is broken, resource-exhausted past the entry limit. */
  push(chunk: Buffer): void {
    try {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(this.#take(rest));
    } catch (error) {
      if (this.#current === '') throw error;
      throw new GantryError(codeFor(error), `entry ${this.#current}: ${describeError(error)}`, error);
    }
  }

  /** Says that nothing follows. An archive may lack its two blocks of zeros, as Go's reader has it. */
  end(): void {
    if (this.#state.at === 'end' || (this.#state.at === 'header' && this.#have === 0)) return;
    throw dataLoss(`the archive ends in the middle of ${this.#current === '' ? 'a header' : `entry ${this.#current}`}`);
  }

  /** Handles the front of `chunk` and returns how many bytes that was: at least one. */
  #take(chunk: Buffer): number {
    const state = this.#state;
    if (state.at === 'end') return chunk.length;
    if (state.at === 'header') return this.#takeHeader(chunk);
    const part = chunk.length <= state.left ? chunk : chunk.subarray(0, state.left);
    state.left -= part.length;
    if (state.at === 'data') this.#sink.data(part);
    else if (state.at === 'meta') state.parts.push(Buffer.from(part));
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
    this.#current = displayName(header.name);
    if (++this.#entries > this.#maxEntries)
      throw resourceExhausted(`the layer has more than ${this.#maxEntries} entries`);
    if (header.size < 0) throw dataLoss('the size is negative');
    if ('xgLK'.includes(header.flag)) this.#beginMeta(header);
    else this.#beginEntry(header);
  }

  #beginMeta({ flag, size }: TarHeader): void {
    if (size > MAX_META) throw resourceExhausted(`an extended header of ${size} bytes`);
    this.#state = { at: 'meta', left: size, padding: padding(size), flag, parts: [] };
    if (size === 0) this.#finishPart(this.#state);
  }

  #beginEntry(header: TarHeader): void {
    const entry = toEntry(header, this.#overrides);
    this.#overrides = noOverrides();
    this.#current = displayName(entry.name);
    this.#sink.entry(entry);
    this.#state = { at: 'data', left: entry.size, padding: padding(entry.size) };
    if (entry.size === 0) this.#finishPart(this.#state);
  }

  #finishPart(state: Exclude<State, { at: 'header' | 'end' }>): void {
    const pad = state.at === 'padding' ? 0 : state.padding;
    this.#state = pad > 0 ? { at: 'padding', left: pad } : { at: 'header' };
    if (state.at === 'data') this.#sink.entryEnd();
    if (state.at === 'meta') this.#onMeta(state.flag, Buffer.concat(state.parts));
    if (state.at !== 'meta' && pad === 0) this.#current = '';
  }

  /** A global header (`g`) holds defaults that images do not use: comments of git. */
  #onMeta(flag: string, data: Buffer): void {
    const text = data.toString('latin1');
    const name = text.slice(0, text.indexOf('\0') < 0 ? text.length : text.indexOf('\0'));
    if (flag === 'x') readPax(data, this.#overrides);
    else if (flag === 'L') this.#overrides.path ??= name;
    else if (flag === 'K') this.#overrides.linkPath ??= name;
  }
}

function toEntry(header: TarHeader, pax: PaxOverrides): TarEntry {
  const name = pax.path ?? header.name;
  const type = header.flag === '0' && name.endsWith('/') ? 'directory' : TYPES[header.flag];
  if (type === undefined) throw dataLoss(`tar entry type ${JSON.stringify(header.flag)} is not supported`);
  return {
    type,
    name,
    linkName: pax.linkPath ?? header.linkName,
    mode: header.mode,
    uid: ownerId(pax.uid ?? header.uid),
    gid: ownerId(pax.gid ?? header.gid),
    // Other types have no data, whatever the field says: writers put the linked file's size there.
    size: type === 'file' ? (pax.size ?? header.size) : 0,
    mtime: pax.mtime ?? header.mtime,
    device: { major: header.major, minor: header.minor },
    xattrs: pax.xattrs,
  };
}

/** The highest id stands for "unchanged" in chown(2), so it cannot be given to a file. */
function ownerId(id: number): number {
  if (id >= 0 && id < 0xffff_ffff) return id;
  throw dataLoss(`owner ${id} is out of range`);
}
