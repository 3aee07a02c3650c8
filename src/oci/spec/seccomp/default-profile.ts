import { ALLOWED, BY_ARCHITECTURE, BY_CAPABILITY, TRACING } from './calls.js';
import type { ArchitectureEntry, SeccompArg, SeccompProfile, SeccompRule } from './profile.js';

/** An architecture with those whose programs its kernel runs, too. */
const ARCH_MAP: readonly ArchitectureEntry[] = [
  entry('X86_64', 'X86', 'X32'),
  entry('AARCH64', 'ARM'),
  entry('S390X', 'S390'),
  entry('MIPS64', 'MIPS', 'MIPS64N32'),
  entry('MIPSEL64', 'MIPSEL', 'MIPSEL64N32'),
  entry('PPC64LE'),
  entry('RISCV64'),
  entry('LOONGARCH64'),
];

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)). */
const NEW_NAMESPACES = 0x7e02_0000;

/**
 * What RuntimeDefault stands for: EPERM to every call but those of the table. The kernel's keyring, io_uring, userfaultfd,
 * kexec, swap, pivot_root and whatever the table does not name stay denied to everyone.
 */
export const DEFAULT_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: ARCH_MAP,
  syscalls: [
    ...Object.entries(ALLOWED).map(([comment, calls]) => allow(calls, { comment })),
    allow(TRACING.calls, { includes: { minKernel: TRACING.minKernel } }),
    ...socketRules(),
    ...personalityRules(),
    ...Object.entries(BY_ARCHITECTURE).map(([arch, calls]) => allow(calls, { includes: { arches: [arch] } })),
    ...Object.entries(BY_CAPABILITY).map(([cap, calls]) => allow(calls, { includes: { caps: [cap] } })),
    ...cloneRules(),
  ],
};

function entry(native: string, ...others: readonly string[]): ArchitectureEntry {
  return { architecture: `SCMP_ARCH_${native}`, subArchitectures: others.map((name) => `SCMP_ARCH_${name}`) };
}

function allow(names: readonly string[], more: Partial<SeccompRule> = {}): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...more };
}

/** The argument, of which only the bits of `mask` count, is `value`. */
function masked(index: number, mask: number, value: number): SeccompArg {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

/**
 * Every address family but AF_ALG (38), a large attack surface, and AF_VSOCK (40), which no network namespace holds.
 * A list of blocks rather than comparisons: the filter sees 64 bits and the kernel takes 32 of them, so that "not 40" is
 * true of 2³² + 40, which is 40. A runtime makes alternatives of several conditions on one argument: one a rule.
 */
function socketRules(): SeccompRule[] {
  const blocks = [
    [0xffff_ffe0, 0],
    [0xffff_fffc, 32],
    [0xffff_fffe, 36],
    [0xffff_ffff, 39],
    [0xffff_ffff, 41],
    [0xffff_fffe, 42],
    [0xffff_fffc, 44],
    [0xffff_fff0, 48],
  ] as const;
  return blocks.map(([mask, family]) => allow(['socket'], { args: [masked(0, mask, family)] }));
}

/** To ask, and to be Linux: PER_LINUX or PER_LINUX32, each also with UNAME26. None that weakens address layout. */
function personalityRules(): SeccompRule[] {
  const [PER_LINUX32, UNAME26, ASK] = [0x8, 0x2_0000, 0xffff_ffff];
  return [0, PER_LINUX32, UNAME26, UNAME26 | PER_LINUX32, ASK].map((value) =>
    allow(['personality'], { args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] }),
  );
}

/**
 * Without CAP_SYS_ADMIN, threads and processes but no namespaces. clone3 has its flags in memory, which a filter cannot
 * read: ENOSYS has libraries take clone instead.
 */
function cloneRules(): SeccompRule[] {
  const unprivileged = { caps: ['CAP_SYS_ADMIN'] };
  const flagsAt = (index: number): SeccompArg[] => [masked(index, NEW_NAMESPACES, 0)];
  return [
    allow(['clone'], { args: flagsAt(0), excludes: { ...unprivileged, arches: ['s390x'] } }),
    allow(['clone'], { args: flagsAt(1), excludes: unprivileged, includes: { arches: ['s390x'] } }),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: unprivileged },
  ];
}
