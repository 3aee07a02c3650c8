import type { ContainerResources } from '../../oci/spec/resources.js';
import type { Container } from './store.js';

/** The limits in force: the ones last set, else those that the container was made with. */
export function resourcesOf({ record, status }: Container): ContainerResources {
  const updated = 'resources' in status ? status.resources : undefined;
  return updated ?? record.config.resources;
}
