import { readBundleSpec } from '../../oci/bundle-spec.js';
import { cgroupAbilities } from '../../oci/cgroup-abilities.js';
import { allowedOomScoreAdj } from '../../oci/spec/oom-score.js';
import { fitResources, ociResources } from '../../oci/spec/resources.js';
import type { OciSpec } from '../../oci/spec/types.js';
import { containerPaths } from './paths.js';
import { resourcesOf } from './resources.js';
import type { Container } from './store.js';

/**
 * A container's OCI configuration as the runtime got it, with the limits that were set since; undefined once its bundle is
 * gone, or damaged.
 */
export async function currentSpec(
  settings: Parameters<typeof containerPaths>[0],
  container: Container,
): Promise<OciSpec | undefined> {
  const spec = await readBundleSpec(containerPaths(settings, container.record).bundle);
  if (spec === undefined || !('resources' in container.status)) return spec;
  const resources = resourcesOf(container);
  const limits = ociResources(fitResources(resources, cgroupAbilities(), 'linux'), spec.linux.resources.devices);
  return {
    ...spec,
    process: { ...spec.process, oomScoreAdj: allowedOomScoreAdj(resources.oomScoreAdj) },
    linux: { ...spec.linux, resources: { ...spec.linux.resources, ...limits } },
  };
}
