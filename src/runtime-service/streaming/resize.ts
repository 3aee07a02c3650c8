import type { Readable } from 'node:stream';

import type { TerminalSize } from './types.js';

/** What may come without being a size. */
const MAX_PENDING = 4096;
const MAX_EDGE = 65_535;

/** The sizes that a client sends as JSON objects, one after another: {"Width":80,"Height":24}. */
export class Sizes {
  #last: TerminalSize | undefined;
  readonly #listeners: ((size: TerminalSize) => void)[] = [];
  #pending = '';

  constructor(stream: Readable | undefined) {
    stream?.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
  }

  /** Calls back with each size, at once with the last that came. */
  onResize(listener: (size: TerminalSize) => void): void {
    this.#listeners.push(listener);
    if (this.#last !== undefined) listener(this.#last);
  }

  #read(text: string): void {
    const objects = (this.#pending + text).split('}');
    this.#pending = (objects.pop() ?? '').slice(-MAX_PENDING);
    const sizes = objects.map((object) => parseSize(`${object}}`)).filter((size) => size !== undefined);
    const last = sizes.at(-1);
    if (last === undefined) return;
    this.#last = last;
    for (const listener of this.#listeners) listener(last);
  }
}

function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width, Height } = JSON.parse(text) as { readonly Width?: unknown; readonly Height?: unknown };
    return isEdge(Width) && isEdge(Height) ? { width: Width, height: Height } : undefined;
  } catch {
    return undefined;
  }
}

function isEdge(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_EDGE;
}
