import { join, normalize, relative } from 'node:path';

import { nowNs } from '../../base/clock.js';
import { failedPrecondition, invalidArgument } from '../../base/errors.js';
import { sameMappings } from '../../base/id-mapping.js';
import { newId } from '../../base/ids.js';
import type { LogPlace } from '../../oci/monitor-log.js';
import type { Made } from '../../oci/runtimes.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import type { ContainerImage, ImageNames } from './context.js';
import { signalName } from './signals.js';
import type { ContainerConfig, ContainerRecord, VolumeImage } from './types.js';

/** The record of a new container, with all that depends on sandbox and image resolved. */
export function makeRecord(options: {
  readonly name: string;
  readonly config: ContainerConfig;
  readonly sandbox: SandboxRecord;
  readonly image: ContainerImage;
  readonly imageNames: ImageNames;
  /** Of the mounts that have an image, in their order. */
  readonly volumeImages?: readonly VolumeImage[];
  readonly requestDigest: string;
  readonly made: Required<Made>;
  readonly stateDir: string;
}): ContainerRecord {
  const { name, config, sandbox, image, imageNames, volumeImages = [], requestDigest, made, stateDir } = options;
  checkUserns(config, sandbox);
  // CRI LinuxSandboxSecurityContext.privileged: the sandbox must have been asked for one that may hold such containers.
  if (config.security.privileged && !sandbox.config.privileged)
    throw failedPrecondition(`sandbox "${sandbox.id}" takes no privileged containers`);
  return {
    id: newId(),
    name,
    sandboxId: sandbox.id,
    config,
    requestDigest,
    createdAt: nowNs(),
    ...made,
    stateDir,
    cgroupParent: sandbox.cgroupParent,
    imageId: image.id,
    imageRef: imageNames.digested,
    imageName: imageNames.name,
    ...(volumeImages.length === 0 ? {} : { volumeImages }),
    logPath: logPath(sandbox.config.logDirectory, config.logPath),
    stopSignal: stopSignal(config, image),
  };
}

/** A pod has one user namespace; a container that asks for another must not run in that one. */
function checkUserns({ userns: asked }: ContainerConfig, { id, config: { userns } }: SandboxRecord): void {
  if (asked === undefined) return;
  const same =
    asked === 'node' || userns === undefined ? asked === 'node' && userns === undefined : sameMappings(asked, userns);
  if (!same) throw invalidArgument(`namespace_options.userns_options is not that of sandbox "${id}"`);
}

/** Where a container's log is; undefined for none. */
export function logPlace({ logPath: path }: ContainerRecord, sandbox: SandboxRecord): LogPlace | undefined {
  if (path === '') return undefined;
  const directory = normalize(`${sandbox.config.logDirectory}/.`);
  return { directory, path: relative(directory, path) };
}

/** CRI ContainerConfig.log_path is below PodSandboxConfig.log_directory; without either there is no log. */
function logPath(directory: string, path: string): string {
  if (directory === '' || path === '') return '';
  const full = normalize(join(directory, path));
  if (!full.startsWith(normalize(`${directory}/`)))
    throw invalidArgument(`log_path "${path}" leaves the log directory`);
  if (/\0|\/$/.test(full)) throw invalidArgument(`log_path "${path}" is no file's`);
  return full;
}

/** The request's signal; the image's, which may say anything, if that is one; else SIGTERM. */
function stopSignal({ stopSignal: asked }: ContainerConfig, image: ContainerImage): string {
  if (asked === '') return signalName(image.config.stopSignal) ?? 'SIGTERM';
  const name = signalName(asked);
  if (name === undefined) throw invalidArgument(`unknown stop signal "${asked}"`);
  return name;
}
