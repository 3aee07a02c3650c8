import { readdir } from 'node:fs/promises';

import { describeError, errnoOf } from './errors.js';
import { isId } from './ids.js';
import type { Logger } from './log.js';
import type { UndoRetries } from './undo.js';

export interface StraysOptions {
  /** What they are, for messages. */
  readonly kind: string;
  /** Has a directory for each object, named by its id. */
  readonly dir: string;
  readonly isKnown: (id: string) => boolean;
  /** Gives back all that an id may hold; idempotent. */
  readonly release: (id: string) => Promise<void>;
  readonly retries: UndoRetries;
  readonly logger: Logger;
}

/**
 * Releases what belongs to ids that have no record: theirs could not be read, so nobody will ever ask for their end. One
 * that resists is tried again later.
 */
export async function releaseStrays({ kind, dir, isKnown, release, retries, logger }: StraysOptions): Promise<void> {
  const ids = (await namesIn(dir)).filter((name) => isId(name) && !isKnown(name));
  await Promise.all(
    ids.map(async (id) => {
      try {
        await release(id);
        logger.warn({ [kind]: id }, `released a ${kind} without a record`);
      } catch (error) {
        logger.warn({ [kind]: id, error: describeError(error) }, `a ${kind} without a record resists`);
        retries.add([{ name: `${kind} ${id} without a record`, run: () => release(id) }]);
      }
    }),
  );
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
