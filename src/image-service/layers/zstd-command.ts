import type { ChildProcess } from 'node:child_process';
import { Transform, type TransformCallback } from 'node:stream';

import { dataLoss, errnoOf, unavailable, unimplemented } from '../../base/errors.js';
import { endOf, start } from '../../base/spawn.js';
import { ZSTD_WINDOW_LOG } from './node-zlib.js';

/** Decompresses with the `zstd` program, where Node has no zstd of its own (before 22.15). */
export class ZstdCommand extends Transform {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;

  /** @param program is looked for on the PATH */
  constructor(program = 'zstd') {
    super();
    this.#child = start(program, ['-dcq', `--memory=${2 ** (ZSTD_WINDOW_LOG - 10)}KB`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#ended = endOf(this.#child, program, 'close');
    this.#ended.catch((error: unknown) => this.destroy(startFailure(error)));
    // EPIPE: the exit code says more.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.on('data', (plain: Buffer) => this.push(plain));
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#child.stdin?.write(chunk, () => done());
  }

  override _flush(done: TransformCallback): void {
    this.#child.stdin?.end();
    this.#ended.then(
      (code) => done(code === 0 ? null : dataLoss('the zstd data is broken or cut off')),
      (error: unknown) => done(startFailure(error)),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Once it has ended, its number may be another's: ChildProcess knows, and signals nobody then.
    this.#child.kill('SIGKILL');
    done(error);
  }
}

function startFailure(error: unknown): Error {
  const cause = (error as { cause?: unknown }).cause;
  if (errnoOf(cause) !== 'ENOENT') return unavailable('the zstd program cannot be started', error);
  return unimplemented(`zstd layers need Node 22.15 or later, or the zstd program; this is ${process.version}`);
}
