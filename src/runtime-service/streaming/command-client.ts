import type { Readable, Writable } from 'node:stream';

import type { GantryError } from '../../base/errors.js';
import type { StatusForm } from './command-status.js';

/** A connection that can be ended either way. */
export interface Connection {
  /** Resolves when the client is gone, with what it did wrong if that was why. */
  readonly gone: Promise<GantryError | undefined>;
  /** Ends all streams, says goodbye after all that was written, and closes when the client does, or after a while. */
  finish(): Promise<void>;
  destroy(): void;
}

/** An exec's or attach's client, with the streams that it was to open. */
export interface CommandClient extends Connection {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resize: Readable | undefined;
  readonly error: Writable;
  readonly statusForm: StatusForm;
}

/** The endings of another connection. */
export function endingsOf(connection: Connection): Connection {
  return {
    gone: connection.gone,
    finish: () => connection.finish(),
    destroy: () => connection.destroy(),
  };
}
