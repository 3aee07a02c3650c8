import type { AppArmor } from '../../oci/apparmor.js';
import type { SeccompProfiles } from '../../oci/seccomp-profiles.js';
import type { Selinux } from '../../oci/selinux/selinux.js';
import { ociCapabilities } from '../../oci/spec/capabilities.js';
import type { OciCapabilities, OciSeccomp } from '../../oci/spec/types.js';
import type { SecurityConfig } from './types.js';

/** How a container's process is confined, for its OCI configuration. */
export interface Confinement {
  readonly capabilities: OciCapabilities;
  readonly seccomp?: OciSeccomp;
  readonly apparmor?: string;
}

/** What this node can confine processes with. */
export interface Confiners {
  readonly seccomp: SeccompProfiles;
  readonly apparmor: AppArmor;
  readonly selinux: Selinux;
}

/**
 * What a container's security context comes to on this node.
 * @throws invalid-argument for unknown capabilities and bad profiles; failed-precondition for what this node does not have.
 */
export async function confine({ seccomp, apparmor }: Confiners, security: SecurityConfig): Promise<Confinement> {
  const { privileged, addCapabilities: add, dropCapabilities: drop, addAmbientCapabilities: addAmbient } = security;
  const capabilities = ociCapabilities({ privileged, add, drop, addAmbient });
  const filter = await seccomp.filterFor(security.seccomp, { privileged, capabilities: capabilities.bounding });
  const profile = await apparmor.profileFor(security.apparmor, privileged);
  return {
    capabilities,
    ...(filter === undefined ? {} : { seccomp: filter }),
    ...(profile === undefined ? {} : { apparmor: profile }),
  };
}
