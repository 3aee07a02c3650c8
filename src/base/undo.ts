import { describeError } from './errors.js';
import type { Logger } from './log.js';

/** One acquisition's way back. Must be idempotent: what fails stays on the retry list and is run again. */
export interface UndoStep {
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/**
 * The ways back of one operation's acquisitions. `push` before or right after acquiring; on failure `unwind` runs
 * them last in, first out, past failures. What could not be undone is handed to the {@link UndoRetries}.
 */
export class UndoStack {
  #steps: UndoStep[] = [];

  push(name: string, run: () => Promise<void> | void): void {
    this.#steps.push({ name, run });
  }

  /** Forgets all steps: the operation succeeded. */
  commit(): void {
    this.#steps = [];
  }

  /** Runs all steps and returns the ones that failed. */
  async unwind(logger: Logger): Promise<UndoStep[]> {
    const failed: UndoStep[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run();
      } catch (error) {
        logger.warn({ step: step.name, error: describeError(error) }, 'undo step failed');
        failed.push(step);
      }
    }
    return failed;
  }
}

/** What could not be undone, tried again at an interval until it works. */
export class UndoRetries {
  #waiting: UndoStep[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #logger: Logger;
  readonly #intervalMs: number;

  constructor(logger: Logger, intervalMs = 30_000) {
    this.#logger = logger;
    this.#intervalMs = intervalMs;
  }

  add(steps: readonly UndoStep[]): void {
    this.#waiting.push(...steps);
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Names of the steps that still wait, for `Status` and tests. */
  get waiting(): readonly string[] {
    return this.#waiting.map((step) => step.name);
  }

  /** Tries every waiting step once, in the order in which they failed. */
  async retry(): Promise<void> {
    const steps = this.#waiting;
    this.#waiting = [];
    const stack = new UndoStack();
    for (const step of steps.reverse()) stack.push(step.name, step.run);
    this.add(await stack.unwind(this.#logger));
  }

  /** No more attempts but those that {@link retry} makes. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.retry();
    }, this.#intervalMs);
    this.#timer.unref();
  }
}

/** Runs `operation` with a fresh stack; if it throws, unwinds, keeps what could not be undone, and rethrows. */
export async function withUndo<T>(
  context: { readonly logger: Logger; readonly retries: UndoRetries },
  operation: (undo: UndoStack) => Promise<T>,
): Promise<T> {
  const undo = new UndoStack();
  try {
    const result = await operation(undo);
    undo.commit();
    return result;
  } catch (error) {
    context.retries.add(await undo.unwind(context.logger));
    throw error;
  }
}
