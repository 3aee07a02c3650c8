import { failedPrecondition } from '../../base/errors.js';
import { parseReference, type Reference } from './reference.js';
import type { RegistriesConf } from './registries-conf.js';

/**
 * What a name without a registry may stand for (containers-registries.conf(5), "Short-name aliasing"): its alias, else the
 * name in each search registry, else Docker Hub, as for Docker.
 * @throws failed-precondition where that is not certain and the mode is `enforcing`
 */
export function shortNameReferences(image: string, conf: RegistriesConf): Reference[] {
  const { search, shortNames, aliases } = conf;
  const [, name = '', rest = ''] = /^([^:@]*)(.*)$/s.exec(image) ?? [];
  const alias = shortNames === 'disabled' ? undefined : aliases.get(name);
  if (alias !== undefined) return [parseReference(`${alias}${rest}`)];
  if (search.length === 0) return [parseReference(image)];
  if (search.length > 1 && shortNames === 'enforcing')
    throw failedPrecondition(
      `${JSON.stringify(image)} may be in any of ${search.join(', ')}: name the registry (short-name-mode is enforcing)`,
    );
  return search.map((registry) => parseReference(`${registry}/${image}`));
}
