import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { ContainerConfig } from '../container/types.js';
import { toMount } from './mounts.js';
import { toResources } from './resources.js';
import { toSecurity } from './security.js';
import { toUserns } from './user-namespace.js';
import { absolutePath, metadataText, required } from './values.js';

type Config = runtime.v1.IContainerConfig;
const { Signal } = runtime.v1;

/** @throws invalid-argument or unimplemented naming the field. */
export function toContainerConfig(config: Config | null | undefined): ContainerConfig {
  const given = required(config, 'config');
  const metadata = required(given.metadata, 'config.metadata');
  refuseCdi(given);
  const userns = toUserns(given.linux?.securityContext?.namespaceOptions?.usernsOptions);
  return {
    metadata: { name: metadataText(metadata.name, 'config.metadata.name'), attempt: metadata.attempt ?? 0 },
    image: required(given.image?.image, 'config.image.image'),
    userSpecifiedImage: given.image?.userSpecifiedImage ?? '',
    command: given.command ?? [],
    args: given.args ?? [],
    workingDir: given.workingDir ? absolutePath(given.workingDir, 'config.working_dir') : '',
    env: (given.envs ?? []).map(toEnv),
    mounts: (given.mounts ?? []).map(toMount),
    devices: (given.devices ?? []).map(toDevice),
    labels: given.labels ?? {},
    annotations: given.annotations ?? {},
    logPath: given.logPath ?? '',
    stdin: given.stdin ?? false,
    stdinOnce: given.stdinOnce ?? false,
    tty: given.tty ?? false,
    stopSignal: toSignal(given.stopSignal),
    resources: toResources(given.linux?.resources),
    security: toSecurity(given.linux?.securityContext),
    ...(userns === undefined ? {} : { userns }),
  };
}

/** CDI's own prefix: device plug-ins of kubelet's ask by annotations of it. */
const CDI_ANNOTATION = 'cdi.k8s.io/';

/** A container that asks for a device must not run without it. */
function refuseCdi({ CDIDevices, annotations }: Config): void {
  if ((CDIDevices ?? []).length > 0) throw unimplemented('config.CDI_devices is not served yet');
  const name = Object.keys(annotations ?? {}).find((key) => key.startsWith(CDI_ANNOTATION));
  if (name !== undefined)
    throw unimplemented(`config.annotations: "${name}" asks for a CDI device, which is not served yet`);
}

function toEnv({ key, value }: runtime.v1.IKeyValue, index: number): { key: string; value: string } {
  const name = required(key, `config.envs[${index}].key`);
  const text = toText(value ?? new Uint8Array(), `config.envs[${index}].value`);
  if (name.includes('=') || `${name}${text}`.includes('\0')) {
    throw invalidArgument(`config.envs[${index}]: "${name}" cannot be in an environment`);
  }
  return { key: name, value: text };
}

/** CRI has bytes, but an OCI configuration is JSON, which has only text. */
function toText(value: Uint8Array | string, field: string): string {
  if (typeof value === 'string') return value;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
  } catch (error) {
    throw invalidArgument(`${field} is not UTF-8, which the OCI runtime needs`, error);
  }
}

function toDevice(device: runtime.v1.IDevice, index: number) {
  const field = `config.devices[${index}]`;
  return {
    containerPath: absolutePath(device.containerPath, `${field}.container_path`),
    hostPath: absolutePath(device.hostPath, `${field}.host_path`),
    permissions: device.permissions ?? '',
  };
}

/** RUNTIME_DEFAULT leaves the choice to the image and to us; SIGRTMIN+n is spelt SIGRTMINPLUSn by CRI. */
function toSignal(signal: runtime.v1.Signal | null | undefined): string {
  if (!signal) return '';
  const name = Signal[signal] as string | undefined;
  if (name === undefined) throw invalidArgument(`config.stop_signal has the unknown value ${signal}`);
  return name;
}
