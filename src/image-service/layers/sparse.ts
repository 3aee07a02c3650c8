import { dataLoss, resourceExhausted } from '../../base/errors.js';
import { BLOCK, readNumber } from './tar-header.js';

/** A part of a sparse file that the archive holds; between the parts are holes. */
export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

/** A list of fragments that comes in blocks of its own, after a header. */
export interface MapReader {
  /** True while another block belongs to the list. */
  readonly more: boolean;
  readonly fragments: readonly Fragment[];
  add(block: Buffer): void;
}

/** A list is kept in memory. */
export const MAX_FRAGMENTS = 43_008;
const MAX_BLOCKS = 2048;
const ENTRY = 24;

/** GNU's own format: four fragments in the header, 21 in each block that follows. */
export class GnuMapReader implements MapReader {
  readonly fragments: Fragment[] = [];
  /** Of the file with its holes. */
  readonly size: number;
  more: boolean;
  #blocks = 0;

  constructor(header: Buffer) {
    this.#read(header.subarray(386, 386 + 4 * ENTRY));
    this.more = header[482] !== 0;
    this.size = readNumber(header, 483, 12);
  }

  add(block: Buffer): void {
    if (++this.#blocks > MAX_BLOCKS) throw tooLong();
    this.#read(block.subarray(0, 21 * ENTRY));
    this.more = block[21 * ENTRY] !== 0;
  }

  #read(entries: Buffer): void {
    for (let at = 0; at < entries.length && entries[at] !== 0; at += ENTRY)
      this.fragments.push({ offset: readNumber(entries, at, 12), length: readNumber(entries, at + 12, 12) });
  }
}

/** PAX format 1.0: decimal numbers, one a line, before the data: how many, then offset and length of each. */
export class PaxMapReader implements MapReader {
  fragments: readonly Fragment[] = [];
  more = true;
  #text = '';
  #blocks = 0;
  #lines = 0;

  add(block: Buffer): void {
    if (++this.#blocks > MAX_BLOCKS) throw tooLong();
    this.#text += block.toString('latin1', 0, BLOCK);
    this.#lines += block.subarray(0, BLOCK).reduce((count, byte) => count + Number(byte === 0x0a), 0);
    const wanted = this.#wanted();
    if (wanted === undefined || this.#lines < wanted) return;
    this.fragments = parseFragments(this.#text.split('\n', wanted).slice(1));
    this.#text = '';
    this.more = false;
  }

  /** Lines in all; undefined while the first is not complete. */
  #wanted(): number | undefined {
    const end = this.#text.indexOf('\n');
    if (end < 0) return undefined;
    const fragments = decimal(this.#text.slice(0, end));
    if (fragments > MAX_FRAGMENTS) throw tooLong();
    return 1 + 2 * fragments;
  }
}

/** Offsets and lengths in turn, as PAX headers have them. */
export function parseFragments(numbers: readonly string[]): Fragment[] {
  if (numbers.length % 2 !== 0) throw dataLoss('the sparse file has an offset without length');
  const fragments: Fragment[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    fragments.push({ offset: decimal(numbers[i]), length: decimal(numbers[i + 1]) });
  return fragments;
}

/** @throws data-loss unless the fragments rise, lie within `size` and have `stored` bytes together */
export function checkFragments(
  fragments: readonly Fragment[],
  { size, stored }: { size: number; stored: number },
): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of fragments) {
    if (offset < end || length < 0) throw dataLoss('the fragments of the sparse file overlap');
    end = offset + length;
    sum += length;
  }
  if (end > size) throw dataLoss(`the sparse file has a fragment beyond its ${size} bytes`);
  if (sum !== stored) throw dataLoss(`the sparse file has ${stored} bytes, where its fragments say ${sum}`);
}

/** Where the next bytes of a sparse file belong. */
export class FragmentCursor {
  readonly #fragments: readonly Fragment[];
  #index = 0;
  #done = 0;

  /** @param fragments have been checked. */
  constructor(fragments: readonly Fragment[]) {
    this.#fragments = fragments.filter(({ length }) => length > 0);
  }

  /** A place in the file, and how many bytes belong there. */
  next(): { readonly position: number; readonly room: number } {
    const { offset, length } = this.#fragments[this.#index] ?? { offset: 0, length: 0 };
    return { position: offset + this.#done, room: length - this.#done };
  }

  advance(count: number): void {
    this.#done += count;
    if (this.#done < (this.#fragments[this.#index]?.length ?? 0)) return;
    this.#index++;
    this.#done = 0;
  }
}

function decimal(text = ''): number {
  const number = Number(text);
  if (/^[0-9]{1,16}$/.test(text) && Number.isSafeInteger(number)) return number;
  throw dataLoss(`the sparse file has the number ${JSON.stringify(text.slice(0, 40))}`);
}

function tooLong(): Error {
  return resourceExhausted(
    `the sparse file has a list of more than ${MAX_FRAGMENTS} fragments, or ${MAX_BLOCKS} blocks`,
  );
}
