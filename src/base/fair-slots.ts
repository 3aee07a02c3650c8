import { abortReason } from './abort.js';

export interface FairSlotsOptions {
  /** Operations that count at a time. */
  readonly limit: number;
  /** Those under way, whether they count or not: never more. */
  readonly most: number;
  /** What has held its slot so long waits for something, where work takes this long at most. */
  readonly workMs: number;
}

export interface TakeOptions {
  /** Several owners may wait to do the same work: the first whose turn comes does it for all. */
  readonly work?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Held until {@link Slot.release}, which may be called again. */
export interface Slot {
  /** Says that work goes on, so that the slot counts for another while. */
  worked(): void;
  release(): void;
}

interface Waiter extends TakeOptions {
  readonly grant: (slot: Slot | undefined) => void;
}

interface Owner {
  held: number;
  /** When it was served last, or came: owners that have as much under way come in turn. */
  served: number;
  readonly waiting: Waiter[];
}

/**
 * Slots for work of a node that its tenants ask for, and may hold up. So that nobody waits for what another one controls:
 *
 * 1. Owners are served in turn: whoever has the least under way comes first, then whoever was served longest ago; what one owner asks for, in its order.
 * 2. One owner never has all slots: at most one less than `limit`, if that is more than one.
 * 3. `limit` bounds what works. An operation that has held its slot for `workMs` without a word ({@link Slot.worked}) waits for something, and does not
 *    count any more, so others go on.
 * 4. `most` bounds all, for what waits takes memory and processes, too.
 */
export class FairSlots {
  readonly #options: FairSlotsOptions;
  readonly #owners = new Map<string, Owner>();
  #counted = 0;
  #held = 0;
  #turn = 0;

  constructor(options: FairSlotsOptions) {
    this.#options = options;
  }

  /** Runs an operation in a slot of the owner's. */
  async run<T>(owner: string, operation: () => Promise<T>): Promise<T> {
    const slot = await this.take(owner);
    try {
      return await operation();
    } finally {
      slot?.release();
    }
  }

  /**
   * Waits for a slot; undefined where another owner was given one for the same work.
   * @throws cancelled or deadline-exceeded for the signal
   */
  take(name: string, options: TakeOptions = {}): Promise<Slot | undefined> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    return new Promise((resolve, reject) => {
      const owner = this.#ownerOf(name);
      const leave = (): void => {
        owner.waiting.splice(owner.waiting.indexOf(waiter), 1);
        this.#forget(name, owner);
        reject(abortReason(signal));
      };
      const grant = (slot: Slot | undefined): void => {
        signal?.removeEventListener('abort', leave);
        resolve(slot);
      };
      const waiter: Waiter = { ...options, grant };
      signal?.addEventListener('abort', leave, { once: true });
      owner.waiting.push(waiter);
      this.#serve();
    });
  }

  get #perOwner(): number {
    return Math.max(1, this.#options.limit - 1);
  }

  #ownerOf(name: string): Owner {
    const known = this.#owners.get(name);
    if (known !== undefined) return known;
    const owner = { held: 0, served: ++this.#turn, waiting: [] };
    this.#owners.set(name, owner);
    return owner;
  }

  #forget(name: string, owner: Owner): void {
    if (owner.held === 0 && owner.waiting.length === 0) this.#owners.delete(name);
  }

  #serve(): void {
    const { limit, most } = this.#options;
    while (this.#counted < limit && this.#held < most) {
      const [name, owner] = this.#next() ?? [];
      const waiter = owner?.waiting.shift();
      if (name === undefined || owner === undefined || waiter === undefined) return;
      owner.served = ++this.#turn;
      waiter.grant(this.#slotFor(name, owner));
      if (waiter.work !== undefined) this.#dismiss(waiter.work);
    }
  }

  #next(): [string, Owner] | undefined {
    let best: [string, Owner] | undefined;
    for (const each of this.#owners) {
      const [, owner] = each;
      if (owner.waiting.length > 0 && owner.held < this.#perOwner && (best === undefined || isBefore(owner, best[1])))
        best = each;
    }
    return best;
  }

  /** Tells all who wait to do this work that somebody does it. */
  #dismiss(work: string): void {
    for (const [name, owner] of this.#owners) {
      const done = owner.waiting.filter((waiter) => waiter.work === work);
      if (done.length === 0) continue;
      for (const waiter of done) {
        owner.waiting.splice(owner.waiting.indexOf(waiter), 1);
        waiter.grant(undefined);
      }
      this.#forget(name, owner);
    }
  }

  #slotFor(name: string, owner: Owner): Slot {
    let counts = true;
    let isHeld = true;
    owner.held++;
    this.#held++;
    this.#counted++;
    const uncount = (): void => {
      if (counts) this.#counted--;
      counts = false;
    };
    const timer = setTimeout(() => {
      uncount();
      this.#serve();
    }, this.#options.workMs);
    return {
      worked: () => {
        if (!isHeld) return;
        if (!counts) this.#counted++;
        counts = true;
        timer.refresh();
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        clearTimeout(timer);
        uncount();
        owner.held--;
        this.#held--;
        this.#forget(name, owner);
        this.#serve();
      },
    };
  }
}

function isBefore(one: Owner, other: Owner): boolean {
  return one.held === other.held ? one.served < other.served : one.held < other.held;
}
