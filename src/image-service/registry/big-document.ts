import { setImmediate as nextTurn } from 'node:timers/promises';

import { dataLoss } from '../../base/errors.js';

/** What is no longer is parsed within a few milliseconds, whatever it holds. */
const BIG = 256 << 10;
/** An image of 500 layers, each with a history and ten annotations, has fewer. */
const MAX_VALUES = 10_000;
const [QUOTE, COMMA, BRACKET, BRACE, BACKSLASH] = [0x22, 0x2c, 0x5b, 0x7b, 0x5c];

/**
 * Refuses a big JSON document of many values: megabytes of them hold up the whole process while they are parsed, and fill its memory.
 * Long texts are fine. Looks at a part in each turn of the event loop.
 * @throws data-loss
 */
export async function checkBigDocument(text: string, what: string): Promise<void> {
  if (text.length <= BIG) return;
  const count = new ValueCount();
  for (let from = 0; from < text.length; from += BIG) {
    await nextTurn();
    if (count.add(text, from, Math.min(text.length, from + BIG)) > MAX_VALUES)
      throw dataLoss(`${what} has ${text.length} bytes with more than ${MAX_VALUES} values`);
  }
  await nextTurn();
}

/** Counts what makes a parser work: each comma and opening bracket outside of strings. */
class ValueCount {
  #count = 0;
  #inString = false;
  #escaped = false;

  add(text: string, from: number, to: number): number {
    let [count, inString, escaped] = [this.#count, this.#inString, this.#escaped];
    for (let at = from; at < to; at++) {
      const code = text.charCodeAt(at);
      if (!inString) {
        if (code === QUOTE) inString = true;
        else if (code === COMMA || code === BRACKET || code === BRACE) count++;
      } else if (escaped) escaped = false;
      else if (code === BACKSLASH) escaped = true;
      else if (code === QUOTE) inString = false;
    }
    [this.#count, this.#inString, this.#escaped] = [count, inString, escaped];
    return count;
  }
}
