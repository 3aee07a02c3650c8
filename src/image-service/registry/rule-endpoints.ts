import { permissionDenied } from '../../base/errors.js';
import { DEFAULT_TLS, hostOf, plainTwin, type Endpoint } from './endpoint.js';
import { formatReference, nameOf, type Reference } from './reference.js';
import type { MirrorRule, RegistryRule } from './registries-conf.js';

/** @throws permission-denied if the rule blocks the image */
export function refuseBlocked(rule: RegistryRule, reference: Reference): void {
  if (rule.blocked) throw permissionDenied(`${formatReference(reference)} is blocked by ${rule.file}`);
}

/** The servers that a rule of registries.conf leads to: the mirrors that may be asked for this reference, then the location. */
export function ruleEndpoints(rule: RegistryRule, reference: Reference): Endpoint[] {
  const mirrors = rule.mirrors.filter((mirror) => mayPull(mirror, reference));
  return [...mirrors, rule].flatMap(({ location, insecure }) => {
    const name = rewrite(rule.prefix, location, reference);
    return endpointsAt(name, { insecure, registry: reference.registry, why: rule.file });
  });
}

function mayPull({ pulls }: MirrorRule, { digest }: Reference): boolean {
  return pulls === 'all' || (pulls === 'digest-only') === (digest !== undefined);
}

/** Puts the location in the prefix's place; a prefix `*.domain` stands for the whole host. */
function rewrite(prefix: string, location: string, reference: Reference): string {
  const name = nameOf(reference);
  if (location === '') return name;
  return location + name.slice(prefix.startsWith('*.') ? reference.registry.length : prefix.length);
}

/** Insecure servers are asked by unverified TLS first, then without any. */
function endpointsAt(
  name: string,
  options: { readonly insecure: boolean; readonly registry: string; readonly why: string },
): Endpoint[] {
  const slash = name.indexOf('/');
  const host = name.slice(0, slash);
  const base = `https://${hostOf(host)}/v2`;
  const role = host === options.registry ? 'upstream' : 'mirror';
  const common = {
    role,
    resolve: true,
    pull: true,
    headers: {},
    path: name.slice(slash + 1),
    why: options.why,
  } as const;
  const secure: Endpoint = { ...common, base, tls: { ...DEFAULT_TLS, skipVerify: options.insecure } };
  return options.insecure ? [secure, plainTwin(secure)] : [secure];
}
