import { resourceExhausted } from '../../base/errors.js';
import type { Sandbox, SandboxStore } from '../../sandbox/store.js';
import { nowNs } from '../../base/clock.js';
import { newestContainersOf } from '../container/of-sandbox.js';
import type { Container, ContainerStore } from '../container/store.js';
import { containerEvents, sandboxEvents, type PodEvent } from './pod-event.js';

/** An event with the pod as it was right then. */
export interface PodSnapshot {
  readonly event: PodEvent;
  /** Nanoseconds since the epoch, decimal. */
  readonly at: string;
  /** As it was last, if this is its deletion; absent for a container whose sandbox is gone. */
  readonly sandbox?: Sandbox;
  readonly containers: readonly Container[];
}

interface Stores {
  readonly sandboxes: SandboxStore;
  readonly containers: ContainerStore;
}

/** Events that a reader may be behind, unless told. */
const MAX_BEHIND = 10_000;

/**
 * Tells readers what happens to pods, in the order in which it is published, which is the order of each pod. A reader that
 * falls too far behind is told so and let go; it lists everything and begins again.
 */
export class EventHub {
  readonly #stores: Stores;
  readonly #maxBehind: number;
  readonly #readers = new Set<Reader>();

  constructor(stores: Stores, options: { readonly maxBehind?: number } = {}) {
    this.#stores = stores;
    this.#maxBehind = options.maxBehind ?? MAX_BEHIND;
    stores.sandboxes.watch((change) => this.#publish(sandboxEvents(change), change.before));
    stores.containers.watch((change) => this.#publish(containerEvents(change)));
  }

  /** Events from now on, until the reader stops. @throws resource-exhausted naming how many it would have lost. */
  async *read(): AsyncGenerator<PodSnapshot, void, void> {
    const reader = new Reader(this.#maxBehind);
    this.#readers.add(reader);
    try {
      for (;;) yield await reader.next();
    } finally {
      this.#readers.delete(reader);
    }
  }

  #publish(events: readonly PodEvent[], before?: Sandbox): void {
    if (this.#readers.size === 0) return;
    for (const event of events) {
      const snapshot = this.#snapshot(event, before);
      for (const reader of this.#readers) reader.push(snapshot);
    }
  }

  /** @param before what the sandbox was until now: kubelet drops an event without it, that of its deletion, too. */
  #snapshot(event: PodEvent, before: Sandbox | undefined): PodSnapshot {
    const { sandboxes, containers } = this.#stores;
    const sandbox = sandboxes.get(event.sandboxId) ?? before;
    const own = newestContainersOf(containers, event.sandboxId);
    return { event, at: nowNs(), containers: own, ...(sandbox === undefined ? {} : { sandbox }) };
  }
}

/** One reader's queue. */
class Reader {
  #queue: PodSnapshot[] = [];
  #lost = 0;
  #wake: (() => void) | undefined;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(snapshot: PodSnapshot): void {
    if (this.#lost === 0 && this.#queue.length < this.#limit) this.#queue.push(snapshot);
    else this.#lost++;
    this.#wake?.();
  }

  async next(): Promise<PodSnapshot> {
    for (;;) {
      const snapshot = this.#queue.shift();
      if (snapshot !== undefined) return snapshot;
      if (this.#lost > 0) throw resourceExhausted(`the reader of events is too slow: ${this.#lost} events are lost`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
