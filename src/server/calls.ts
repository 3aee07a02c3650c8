import type { RpcName } from '../../api/cri/generated/services.js';
import type { GantryError } from '../base/errors.js';

/** One call under way. */
export interface RunningCall {
  readonly id: string;
  readonly rpc: RpcName;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  abort(reason: GantryError): void;
  /** Takes the call off the list; the last of all wakes who waits for idleness. */
  end(): void;
}

/** The calls whose handlers have not returned yet, which is what a drain waits for. */
export class Calls {
  readonly #running = new Set<RunningCall>();
  #waiting: (() => void)[] = [];
  #count = 0;

  begin(rpc: RpcName): RunningCall {
    const controller = new AbortController();
    const call: RunningCall = {
      id: String(++this.#count),
      rpc,
      signal: controller.signal,
      startedAt: performance.now(),
      abort: (reason) => controller.abort(reason),
      end: () => this.#end(call),
    };
    this.#running.add(call);
    return call;
  }

  /** The RPCs under way, the oldest first. */
  running(): readonly RunningCall[] {
    return [...this.#running];
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #end(call: RunningCall): void {
    this.#running.delete(call);
    if (this.#running.size > 0) return;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
