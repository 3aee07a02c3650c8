import { access, constants } from 'node:fs/promises';

import { describeError } from '../base/errors.js';
import type { Config } from '../config/config.js';
import type { Condition } from '../runtime-service/handlers/context.js';

/**
 * Whether pods can be run at all: the programs that each of them needs may have gone since the daemon started, as in an
 * upgrade that went wrong. kubelet sends no pods to a node that says so.
 */
export async function runtimeCondition({ runtime, image }: Pick<Config, 'runtime' | 'image'>): Promise<Condition> {
  const handler = runtime.handlers.get(runtime.defaultHandler);
  const needed = [
    ...(handler === undefined ? [] : [handler.path]),
    runtime.monitor,
    ...(image.pauseImage === '' ? [runtime.pauseCommand] : []),
  ];
  const faults = await Promise.all(needed.map(faultOf));
  const message = faults.filter((fault) => fault !== '').join('; ');
  return { ready: message === '', reason: message === '' ? '' : 'RuntimeProgramMissing', message };
}

async function faultOf(path: string): Promise<string> {
  try {
    await access(path, constants.X_OK);
    return '';
  } catch (error) {
    return `${path} cannot be run: ${describeError(error)}`;
  }
}
