import { abortable } from '../base/abort.js';

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  members: number;
}

/**
 * Work that several callers may want at once is done once. A caller whose signal fires leaves; the work is
 * aborted when the last one has left.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** Joins the work under way for `key`, or starts it. */
  async join(key: string, start: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const flight = this.#flights.get(key) ?? this.#start(key, start);
    flight.members++;
    try {
      return await abortable(flight.promise, signal);
    } finally {
      flight.members--;
      if (flight.members === 0) this.#leave(key, flight);
    }
  }

  /** The work under way for `key`, to wait for without taking part in it. */
  peek(key: string): Promise<T> | undefined {
    return this.#flights.get(key)?.promise;
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { promise: start(controller.signal), controller, members: 0 };
    this.#flights.set(key, flight);
    const forget = (): void => this.#forget(key, flight);
    flight.promise.then(forget, forget);
    return flight;
  }

  /** Who comes after the last one left must not join work that is being aborted. */
  #leave(key: string, flight: Flight<T>): void {
    this.#forget(key, flight);
    flight.controller.abort();
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
