import { describeError } from './errors.js';
import type { Logger } from './log.js';

/** One acquisition's way back. Must be idempotent: what fails stays on the retry list and is run again. */
export interface UndoStep {
  readonly name: string;
  readonly run: () => Promise<void> | void;
  /** Waits for the steps that were pushed after it: a record must not go before what it tells of. */
  readonly afterAll?: boolean;
}

/**
 * The ways back of one operation's acquisitions. `push` before or right after acquiring; on failure `unwind` runs
 * them last in, first out, past failures. What could not be undone is handed to the {@link UndoRetries}.
 */
export class UndoStack {
  #steps: UndoStep[] = [];

  push(name: string, run: UndoStep['run'], options: { readonly afterAll?: boolean } = {}): void {
    this.#steps.push({ name, run, ...options });
  }

  /** Forgets all steps: the operation succeeded. */
  commit(): void {
    this.#steps = [];
  }

  /** Runs all steps and returns the ones that failed, or could not be run for that. */
  unwind(logger: Logger): Promise<UndoStep[]> {
    const steps = this.#steps.reverse();
    this.#steps = [];
    return runSteps(steps, logger);
  }
}

async function runSteps(steps: readonly UndoStep[], logger: Logger): Promise<UndoStep[]> {
  const left: UndoStep[] = [];
  for (const step of steps) {
    if (step.afterAll && left.length > 0) {
      left.push(step);
      continue;
    }
    try {
      await step.run();
    } catch (error) {
      logger.warn({ step: step.name, error: describeError(error) }, 'undo step failed');
      left.push(step);
    }
  }
  return left;
}

/** What could not be undone, tried again at an interval until it works. */
export class UndoRetries {
  #waiting: (readonly UndoStep[])[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #logger: Logger;
  readonly #intervalMs: number;

  constructor(logger: Logger, intervalMs = 30_000) {
    this.#logger = logger;
    this.#intervalMs = intervalMs;
  }

  /** Takes what one operation left, in the order to try it in. */
  add(steps: readonly UndoStep[]): void {
    if (steps.length === 0) return;
    this.#waiting.push(steps);
    this.#schedule();
  }

  /** Names of the steps that still wait, for `Status` and tests. */
  get waiting(): readonly string[] {
    return this.#waiting.flat().map((step) => step.name);
  }

  /** Tries every waiting step once, in the order in which they failed. */
  async retry(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const steps of waiting) this.add(await runSteps(steps, this.#logger));
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
