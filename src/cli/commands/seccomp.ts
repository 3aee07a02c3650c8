import { stdout } from 'node:process';

import { Command } from 'commander';

import { ociCapabilities } from '../../oci/spec/capabilities.js';
import { DEFAULT_PROFILE } from '../../oci/spec/seccomp/default-profile.js';
import { resolveProfile, seccompPlace } from '../../oci/spec/seccomp/resolve-profile.js';

/** `gantry seccomp …` */
export function seccompCommand(): Command {
  const seccomp = new Command('seccomp').description('work with seccomp profiles');
  seccomp
    .command('print')
    .description("print the built-in default profile in Docker's format, as runtime.seccomp_profile takes it")
    .option('--resolved', 'as a container on this machine gets it, in the format of the OCI runtime specification')
    .option('--cap-add <name...>', 'with --resolved: capabilities that the container has beside the usual ones', [])
    .action(({ resolved, capAdd }: { resolved?: true; capAdd: string[] }) => {
      const profile = resolved
        ? resolveProfile(DEFAULT_PROFILE, seccompPlace(capabilitiesWith(capAdd)))
        : DEFAULT_PROFILE;
      stdout.write(`${JSON.stringify(profile, null, 2)}\n`);
    });
  return seccomp;
}

/** Whatever the machine that prints has itself. */
function capabilitiesWith(add: readonly string[]): readonly string[] {
  return ociCapabilities({ privileged: false, add, drop: [] }, { has: () => true }).bounding;
}
