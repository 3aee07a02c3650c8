import { settlesWithin } from '../../base/abort.js';
import type { Connection } from './command-client.js';

/** How long a client that is let go may take for its last messages. */
export const FAREWELL_MS = 1_000;

/** Ends a connection whose client may not listen any more. */
export async function letGo(connection: Connection): Promise<void> {
  await settlesWithin(connection.finish(), FAREWELL_MS);
  connection.destroy();
}
