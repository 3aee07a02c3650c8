/**
 * A seccomp profile as people write it: runtime-spec's `linux.seccomp`, and on top what Docker's format has: rules that
 * hold only for some architectures, capabilities and kernels.
 */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** As the kernel's `SCMP_ARCH_…`; the filter lets no other architecture's calls pass. */
  readonly architectures?: readonly string[];
  /** The architectures by the native one; instead of `architectures`. */
  readonly archMap?: readonly ArchitectureEntry[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly SeccompRule[];
}

export interface ArchitectureEntry {
  readonly architecture: string;
  readonly subArchitectures?: readonly string[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArg[];
  /** For people. */
  readonly comment?: string;
  /** The rule holds only where all of this is so. */
  readonly includes?: SeccompCondition;
  /** The rule does not hold where any of this is so. */
  readonly excludes?: SeccompCondition;
}

/** What an argument of a call must be; `valueTwo` is what `value` masks it to with SCMP_CMP_MASKED_EQ. */
export interface SeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

export interface SeccompCondition {
  /** `CAP_…` in the bounding set: of `includes` all, of `excludes` any. */
  readonly caps?: readonly string[];
  /** Any of them, as Go names architectures: `amd64`, `arm64`. */
  readonly arches?: readonly string[];
  /** `4.8`: that kernel or a later one. */
  readonly minKernel?: string;
}

export const ACTIONS: readonly string[] = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
];

export const OPERATORS: readonly string[] = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
];

export const FLAGS: readonly string[] = [
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
];

export const ARCHITECTURES: readonly string[] = [
  ...['X86', 'X86_64', 'X32', 'ARM', 'AARCH64', 'MIPS', 'MIPS64', 'MIPS64N32', 'MIPSEL', 'MIPSEL64', 'MIPSEL64N32'],
  ...['PPC', 'PPC64', 'PPC64LE', 'S390', 'S390X', 'PARISC', 'PARISC64', 'RISCV64', 'LOONGARCH64', 'M68K', 'SH', 'SHEB'],
].map((name) => `SCMP_ARCH_${name}`);
