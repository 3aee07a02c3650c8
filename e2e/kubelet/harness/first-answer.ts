import { readFile } from 'node:fs/promises';

import { failedPrecondition } from '../../../src/base/errors.js';
import { tail } from '../../../src/base/spawn.js';
import type { Service } from '../../harness/service.js';
import { waitFor } from '../../harness/wait.js';

export interface Started {
  readonly service: Service;
  /** What it is called in errors. */
  readonly server: string;
  readonly logFile: string;
}

/**
 * Asks a server that was just started until the answer is not undefined.
 * @throws failed-precondition with the last of its log, if it ends before
 */
export async function firstAnswer<T>(started: Started, ask: () => Promise<T | undefined>): Promise<T> {
  const { service, server, logFile } = started;
  let code: number | undefined;
  void service.ended.then((ended) => (code = ended));
  const answer = await waitFor(`answer of ${server}`, 60_000, async () => {
    if (code !== undefined) return { code };
    const value = await ask();
    return value === undefined ? undefined : { value };
  });
  if ('value' in answer) return answer.value;
  throw failedPrecondition(`${server} ended with exit code ${answer.code}: ${tail(await readFile(logFile, 'utf8'))}`);
}
