import { hasMountSetattrSync } from '../base/sys/calls.js';
import { unimplemented } from '../base/errors.js';
import type { RuntimeFeatures } from './features.js';
import type { HostFeatures } from './host-features.js';
import type { OciRuntime } from './runtime.js';

/** What pods of a handler can have on this node: empty where they can, else why not. */
export interface ServedFeatures {
  readonly recursiveReadOnly: string;
  readonly userNamespaces: string;
}

/** What a handler's runtime and this node can do together. */
export async function servedFeatures(runtime: OciRuntime, host: HostFeatures): Promise<ServedFeatures> {
  const features = await runtime.features();
  const kernel = hasMountSetattrSync() ? '' : 'the kernel has no mount_setattr(2), which came with 5.12';
  return {
    recursiveReadOnly: lacks(runtime, features, 'recursiveReadOnly') || kernel,
    userNamespaces: lacks(runtime, features, 'userNamespaces') || (await host.idmappedLayers()),
  };
}

const NAMES = { recursiveReadOnly: 'recursive read-only mounts', userNamespaces: 'user namespaces' } as const;

/** @throws unimplemented, with the reason, where the handler's pods cannot have it. */
export async function requireFeature(
  runtime: OciRuntime,
  { name, host }: { readonly name: keyof ServedFeatures; readonly host: HostFeatures },
): Promise<void> {
  const why = (await servedFeatures(runtime, host))[name];
  if (why !== '') throw unimplemented(`runtime handler "${runtime.options.handler}" has no ${NAMES[name]}: ${why}`);
}

function lacks({ options: { path } }: OciRuntime, features: RuntimeFeatures, name: keyof RuntimeFeatures): string {
  if (features[name] === true) return '';
  return features.unknown === undefined ? `${path} does not have it` : `${path} is not known to: ${features.unknown}`;
}
