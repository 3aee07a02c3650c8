import { constants } from 'node:os';
import { join, normalize } from 'node:path';

import { nowNs } from '../../base/clock.js';
import { failedPrecondition, invalidArgument } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import type { ContainerImage } from './context.js';
import type { ContainerConfig, ContainerRecord } from './types.js';

/** The record of a new container, with all that depends on sandbox and image resolved. */
export function makeRecord(options: {
  readonly name: string;
  readonly config: ContainerConfig;
  readonly sandbox: SandboxRecord;
  readonly image: ContainerImage;
  readonly requestDigest: string;
}): ContainerRecord {
  const { name, config, sandbox, image, requestDigest } = options;
  return {
    id: newId(),
    name,
    sandboxId: sandbox.id,
    config,
    requestDigest,
    createdAt: nowNs(),
    handler: sandbox.handler,
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    logPath: logPath(sandbox.config.logDirectory, config.logPath),
    stopSignal: stopSignal(config, image),
  };
}

/** CRI ContainerConfig.log_path is below PodSandboxConfig.log_directory; without either there is no log. */
function logPath(directory: string, path: string): string {
  if (directory === '' || path === '') return '';
  const full = normalize(join(directory, path));
  if (!full.startsWith(normalize(`${directory}/`)))
    throw invalidArgument(`log_path "${path}" leaves the log directory`);
  return full;
}

const isSignal = (name: string): name is NodeJS.Signals => name in constants.signals;

/** The request's signal, the image's, or SIGTERM. Images name it `SIGTERM`, `TERM` or `15`. */
function stopSignal({ stopSignal: asked }: ContainerConfig, image: ContainerImage): NodeJS.Signals {
  const wished = (asked || image.config.stopSignal || 'SIGTERM').toUpperCase();
  const byNumber = Object.entries(constants.signals).find(([, number]) => String(number) === wished)?.[0];
  const name = byNumber ?? (wished.startsWith('SIG') ? wished : `SIG${wished}`);
  if (isSignal(name)) return name;
  const text = `unknown stop signal "${wished}"`;
  throw asked === '' ? failedPrecondition(`image ${image.id}: ${text}`) : invalidArgument(text);
}
