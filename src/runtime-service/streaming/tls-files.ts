import { stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

import { readRegular } from '../../base/files.js';
import { describeError, failedPrecondition } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
}

export interface TlsContext {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: 'TLSv1.2';
}

/** A certificate with its key, read again when the files have changed. */
export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #logger: Logger;
  #stamp: string;
  readonly context: TlsContext;

  /** @throws failed-precondition naming the files, if they are no certificate with its key */
  static async load(paths: TlsPaths, logger: Logger): Promise<TlsFiles> {
    // Before the content: what changes in between is read again.
    const stamp = await stampOf(paths);
    return new TlsFiles(paths, logger, { stamp, context: await read(paths) });
  }

  private constructor(paths: TlsPaths, logger: Logger, first: { stamp: string; context: TlsContext }) {
    this.#paths = paths;
    this.#logger = logger;
    this.#stamp = first.stamp;
    this.context = first.context;
  }

  /** Applies what the files hold since they changed. Where that cannot be used, what was there before stays in use. */
  async reload(apply: (context: TlsContext) => void): Promise<void> {
    const stamp = await stampOf(this.#paths);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      apply(await read(this.#paths));
      this.#logger.info({ cert: this.#paths.cert }, 'the certificate of the streaming server was read again');
    } catch (error) {
      this.#logger.warn({ error: describeError(error) }, 'the streaming server keeps its certificate');
    }
  }
}

async function read({ cert, key }: TlsPaths): Promise<TlsContext> {
  try {
    const [certPem, keyPem] = await Promise.all([readRegular(cert), readRegular(key)]);
    const context: TlsContext = { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' };
    createSecureContext(context);
    return context;
  } catch (error) {
    throw failedPrecondition(`${cert} and ${key} are no certificate with its key`, error);
  }
}

/** Other with each change, of the files or of the links to them. */
async function stampOf({ cert, key }: TlsPaths): Promise<string> {
  const stats = await Promise.all([cert, key].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  return stats.map((file) => (file === undefined ? '-' : `${file.ino}:${file.mtimeNs}:${file.size}`)).join(' ');
}
