import { arch, release } from 'node:os';

import type { OciSeccomp, OciSeccompRule } from '../types.js';
import type { SeccompCondition, SeccompProfile, SeccompRule } from './profile.js';

/** What a profile's conditions are about. */
export interface SeccompPlace {
  /** The container's bounding set, `CAP_…`. */
  readonly capabilities: readonly string[];
  /** As Node names architectures. */
  readonly arch: string;
  /** The kernel's release: `6.1.0-18-amd64`. */
  readonly kernel: string;
}

/** This machine, for a container with these capabilities. */
export function seccompPlace(capabilities: readonly string[]): SeccompPlace {
  return { capabilities, arch: arch(), kernel: release() };
}

/** Node's names of architectures to Go's and to libseccomp's. */
const NAMES: Readonly<Record<string, { readonly go: string; readonly scmp: string }>> = {
  x64: { go: 'amd64', scmp: 'X86_64' },
  ia32: { go: '386', scmp: 'X86' },
  arm64: { go: 'arm64', scmp: 'AARCH64' },
  arm: { go: 'arm', scmp: 'ARM' },
  s390x: { go: 's390x', scmp: 'S390X' },
  ppc64: { go: 'ppc64le', scmp: 'PPC64LE' },
  riscv64: { go: 'riscv64', scmp: 'RISCV64' },
  loong64: { go: 'loong64', scmp: 'LOONGARCH64' },
  mipsel: { go: 'mipsel', scmp: 'MIPSEL' },
};

/** The part of a profile that holds in a place, as runtime-spec's `linux.seccomp`. */
export function resolveProfile(profile: SeccompProfile, place: SeccompPlace): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...architecturesOf(profile, place),
    ...(flags === undefined ? {} : { flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: profile.syscalls.filter((rule) => holds(rule, place)).map(toOci),
  };
}

/** None means the native one alone. */
function architecturesOf(
  { architectures, archMap }: SeccompProfile,
  { arch: native }: SeccompPlace,
): Pick<OciSeccomp, 'architectures'> {
  if (architectures !== undefined && architectures.length > 0) return { architectures };
  const name = `SCMP_ARCH_${NAMES[native]?.scmp ?? ''}`;
  const found = archMap?.find(({ architecture }) => architecture === name);
  return found === undefined ? {} : { architectures: [name, ...(found.subArchitectures ?? [])] };
}

function holds({ includes = {}, excludes = {} }: SeccompRule, place: SeccompPlace): boolean {
  const { caps = [] } = includes;
  if (!caps.every((cap) => place.capabilities.includes(cap))) return false;
  if (excludes.caps?.some((cap) => place.capabilities.includes(cap))) return false;
  return inPlace(includes, place, true) && !inPlace(excludes, place, false);
}

/** Whether architecture and kernel are what a condition names; `unsaid` where it names neither. */
function inPlace({ arches = [], minKernel }: SeccompCondition, place: SeccompPlace, unsaid: boolean): boolean {
  const checks = [
    ...(arches.length === 0 ? [] : [arches.includes(NAMES[place.arch]?.go ?? place.arch)]),
    ...(minKernel === undefined ? [] : [isAtLeast(place.kernel, minKernel)]),
  ];
  if (checks.length === 0) return unsaid;
  return unsaid ? checks.every(Boolean) : checks.some(Boolean);
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function toOci({ names, action, errnoRet, args }: SeccompRule): OciSeccompRule {
  return {
    names,
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args.length === 0 ? {} : { args }),
  };
}
