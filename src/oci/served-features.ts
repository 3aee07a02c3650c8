import { hasMountSetattrSync } from '../base/sys/calls.js';
import type { RuntimeFeatures } from './features.js';
import type { OciRuntime } from './runtime.js';

/** What pods of a handler can have on this node: empty where they can, else why not. */
export interface ServedFeatures {
  readonly recursiveReadOnly: string;
  readonly userNamespaces: string;
}

/** What a handler's runtime and this node's kernel can do together. */
export async function servedFeatures(runtime: OciRuntime): Promise<ServedFeatures> {
  const features = await runtime.features();
  const kernel = hasMountSetattrSync() ? '' : 'the kernel has no mount_setattr(2), which came with 5.12';
  return {
    recursiveReadOnly: lacks(runtime, features, 'recursiveReadOnly') || kernel,
    userNamespaces: 'not served yet',
  };
}

function lacks({ options: { path } }: OciRuntime, features: RuntimeFeatures, name: keyof RuntimeFeatures): string {
  if (features[name] === true) return '';
  return features.unknown === undefined ? `${path} does not have it` : `${path} is not known to: ${features.unknown}`;
}
