import { readFileSync } from 'node:fs';

import { failedPrecondition } from '../base/errors.js';
import type { SecurityProfile } from './security-profile.js';
import { DEFAULT_PROFILE } from './spec/seccomp/default-profile.js';
import type { SeccompProfile } from './spec/seccomp/profile.js';
import { readProfile } from './spec/seccomp/read-profile.js';
import { resolveProfile, seccompPlace } from './spec/seccomp/resolve-profile.js';
import type { OciSeccomp } from './spec/types.js';

export interface SeccompOptions {
  /** The file with what RuntimeDefault stands for; empty: the built-in profile. */
  readonly file: string;
  /** What holds where a request names no profile. */
  readonly unset: 'unconfined' | 'runtime-default';
}

/** What seccomp filter a process gets. */
export class SeccompProfiles {
  readonly #supported: boolean;
  readonly #standard: SeccompProfile;
  readonly #file: string;
  readonly #unset: SecurityProfile;

  constructor(standard: SeccompProfile, { file, unset }: SeccompOptions, supported = kernelFilters()) {
    this.#standard = standard;
    this.#unset = { type: unset };
    this.#file = file;
    this.#supported = supported;
  }

  /** For people who look. */
  describe(): { readonly available: boolean; readonly runtimeDefault: string; readonly unset: string } {
    return { available: this.#supported, runtimeDefault: this.#file || 'built in', unset: this.#unset.type };
  }

  /** @throws what {@link readProfile} throws of the configured file. */
  static async open(options: SeccompOptions): Promise<SeccompProfiles> {
    return new SeccompProfiles(options.file === '' ? DEFAULT_PROFILE : await readProfile(options.file), options);
  }

  /**
   * The filter for a process; undefined for none. The privileged have none, whatever is asked (CRI
   * LinuxContainerSecurityContext.privileged).
   * @throws failed-precondition where the kernel has no filters, or a file cannot be read; invalid-argument for a file that
   * is no profile.
   */
  async filterFor(
    profile: SecurityProfile | undefined,
    process: { readonly privileged: boolean; readonly capabilities: readonly string[] },
  ): Promise<OciSeccomp | undefined> {
    const wanted = profile ?? this.#unset;
    if (process.privileged || wanted.type === 'unconfined') return undefined;
    if (!this.#supported) throw failedPrecondition('a seccomp profile is asked for, and this kernel has no seccomp');
    const found = wanted.type === 'localhost' ? await readProfile(wanted.ref) : this.#standard;
    return resolveProfile(found, seccompPlace(process.capabilities));
  }
}

/** proc(5): the field is there where CONFIG_SECCOMP is. */
function kernelFilters(): boolean {
  return /^Seccomp_filters:|^Seccomp:/m.test(readFileSync('/proc/self/status', 'latin1'));
}
