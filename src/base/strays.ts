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
  /** Ends what runs of an id, which is quick. */
  readonly end: (id: string) => Promise<void>;
  /** Gives back all that an id may hold, which may take its time; idempotent. */
  readonly release: (id: string) => Promise<void>;
  readonly retries: UndoRetries;
  readonly logger: Logger;
}

/**
 * Ends what belongs to ids that have no record: theirs could not be read, so nobody will ever ask for their end. All that
 * they hold is then given back in the background; one that resists is tried again later. Returns the ids.
 */
export async function releaseStrays({
  kind,
  dir,
  isKnown,
  end,
  release,
  retries,
  logger,
}: StraysOptions): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT')
      logger.error({ dir, error: describeError(error) }, `no ${kind} can be found there`);
    return [];
  });
  const ids = names.filter((name) => isId(name) && !isKnown(name));
  const releaseOne = async (id: string): Promise<void> => {
    await release(id);
    logger.warn({ [kind]: id }, `released a ${kind} without a record`);
  };
  await Promise.all(
    ids.map(async (id) => {
      await end(id).catch((error: unknown) =>
        logger.warn({ [kind]: id, error: describeError(error) }, `a ${kind} without a record resists its end`),
      );
      retries.begin([{ name: `${kind} ${id} without a record`, run: () => releaseOne(id) }]);
    }),
  );
  return ids;
}
