import { describeError } from './errors.js';
import type { Logger } from './log.js';
import { Semaphore } from './semaphore.js';

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

/** What hangs, as a plugin may, keeps what works from its turn only in such numbers. */
const AT_ONCE = 16;

/**
 * What could not be undone, tried again at an interval until it works. What different operations left is tried side by
 * side, so that one that hangs does not hold up the others.
 */
export class UndoRetries {
  #waiting: (readonly UndoStep[])[] = [];
  readonly #underWay = new Map<readonly UndoStep[], Promise<void>>();
  readonly #slots = new Semaphore(AT_ONCE);
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

  /** Takes a step that somebody who asks again may have left before: once. */
  keep(step: UndoStep): void {
    if (!this.waiting.includes(step.name)) this.add([step]);
  }

  /** Runs steps in the background, for the first time and from now on; those that fail are tried again like any. */
  begin(steps: readonly UndoStep[]): void {
    if (this.#stopped) this.add(steps);
    else void this.#attempt(steps);
  }

  /** Names of the steps that are not done yet, for `Status` and tests. */
  get waiting(): readonly string[] {
    return [...this.#underWay.keys(), ...this.#waiting].flat().map((step) => step.name);
  }

  /** Tries every waiting step once: those of one operation in their order, those of several side by side. */
  async retry(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    await Promise.all(waiting.map((steps) => this.#attempt(steps)));
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  #attempt(steps: readonly UndoStep[]): Promise<void> {
    const attempt = this.#slots.run(async () => {
      const left = await runSteps(steps, this.#logger);
      this.#underWay.delete(steps);
      this.add(left);
    });
    this.#underWay.set(steps, attempt);
    return attempt;
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
