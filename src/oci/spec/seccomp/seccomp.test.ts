import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { runOk } from '../../../base/spawn.js';
import { rejection, thrown, useScratch } from '../../../base/testing.js';
import { SeccompProfiles } from '../../seccomp-profiles.js';
import { DEFAULT_PROFILE } from './default-profile.js';
import { parseProfile } from './parse-profile.js';
import type { SeccompProfile } from './profile.js';
import { readProfile } from './read-profile.js';
import { resolveProfile, type SeccompPlace } from './resolve-profile.js';

const scratch = useScratch('seccomp');

const PLACE: SeccompPlace = { capabilities: [], arch: 'x64', kernel: '6.1.0-18-amd64' };

/** What a profile does with a call in a place, whatever its arguments are. */
function verdicts(name: string, place: Partial<SeccompPlace> = {}, profile = DEFAULT_PROFILE): string[] {
  const { syscalls } = resolveProfile(profile, { ...PLACE, ...place });
  return syscalls
    .filter(({ names }) => names.includes(name))
    .map(({ action, args }) => `${action}${args ? ' if' : ''}`);
}

describe('the default profile', () => {
  const DENIED = [
    ...['keyctl', 'add_key', 'request_key', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register'],
    ...['kexec_load', 'kexec_file_load', 'swapon', 'swapoff', 'pivot_root', 'uselib', 'nfsservctl', 'move_pages'],
  ];

  it.each(DENIED)('has %s for nobody', (name) => {
    const capabilities = DEFAULT_PROFILE.syscalls.flatMap(({ includes }) => includes?.caps ?? []);
    expect(verdicts(name, { capabilities })).toEqual([]);
  });

  it.each([
    ['mount', 'CAP_SYS_ADMIN'],
    ['unshare', 'CAP_SYS_ADMIN'],
    ['setns', 'CAP_SYS_ADMIN'],
    ['bpf', 'CAP_BPF'],
    ['bpf', 'CAP_SYS_ADMIN'],
    ['perf_event_open', 'CAP_PERFMON'],
    ['open_by_handle_at', 'CAP_DAC_READ_SEARCH'],
    ['init_module', 'CAP_SYS_MODULE'],
    ['reboot', 'CAP_SYS_BOOT'],
    ['clock_settime', 'CAP_SYS_TIME'],
    ['syslog', 'CAP_SYSLOG'],
    ['mbind', 'CAP_SYS_NICE'],
  ])('has %s with %s', (name, capability) => {
    expect(verdicts(name)).toEqual([]);
    expect(verdicts(name, { capabilities: [capability] })).toEqual(['SCMP_ACT_ALLOW']);
  });

  it('makes processes, but namespaces for CAP_SYS_ADMIN alone', () => {
    expect([verdicts('clone'), verdicts('clone3')]).toEqual([['SCMP_ACT_ALLOW if'], ['SCMP_ACT_ERRNO']]);
    const capabilities = ['CAP_SYS_ADMIN'];
    const both = ['clone', 'clone3'].map((name) => verdicts(name, { capabilities }));
    expect(both).toEqual([['SCMP_ACT_ALLOW'], ['SCMP_ACT_ALLOW']]);
    const clone3 = resolveProfile(DEFAULT_PROFILE, PLACE).syscalls.find(({ names }) => names.includes('clone3'));
    expect(clone3?.errnoRet).toBe(38);
  });

  it.each([
    ['x64', ['X86_64', 'X86', 'X32'], 0],
    ['arm64', ['AARCH64', 'ARM'], 0],
    ['s390x', ['S390X', 'S390'], 1],
    ['riscv64', ['RISCV64'], 0],
  ])('fits %s', (arch, names, flagsIndex) => {
    const { architectures, syscalls } = resolveProfile(DEFAULT_PROFILE, { ...PLACE, arch });
    expect(architectures).toEqual(names.map((name) => `SCMP_ARCH_${name}`));
    const clone = syscalls.filter((rule) => rule.names.includes('clone'));
    expect(clone.map(({ args }) => args?.map(({ index }) => index))).toEqual([[flagsIndex]]);
    expect(verdicts('arch_prctl', { arch })).toHaveLength(arch === 'x64' ? 1 : 0);
    expect(verdicts('set_tls', { arch })).toHaveLength(arch === 'arm64' ? 1 : 0);
  });

  it('lets processes be traced from 4.8 on', () => {
    const found = ['4.7.9', '4.8.0', '4.19.0-26', '5.0', '10.1'].map((kernel) => verdicts('ptrace', { kernel }).length);
    expect(found).toEqual([0, 1, 1, 1, 1]);
  });

  it('has sockets of every family but AF_ALG and AF_VSOCK, whatever is above the 32 bits that the kernel reads', () => {
    const rules = resolveProfile(DEFAULT_PROFILE, PLACE).syscalls.filter(({ names }) => names.includes('socket'));
    const passes = (family: number): boolean =>
      rules.some(({ args = [] }) =>
        args.every(({ value, valueTwo }) => (BigInt(family) & BigInt(value)) === BigInt(valueTwo ?? 0)),
      );
    const families = Array.from({ length: 64 }, (_, family) => family);
    expect(families.filter((family) => !passes(family))).toEqual([38, 40]);
    expect([2 ** 32 + 38, 2 ** 32 + 40, 2 ** 40 + 38].map(passes)).toEqual([false, false, false]);
  });

  it('is a file that can be read back', () => {
    expect(parseProfile(JSON.stringify(DEFAULT_PROFILE), 'f')).toEqual(withoutComments(DEFAULT_PROFILE));
  });
});

function withoutComments(profile: SeccompProfile): unknown {
  const strip = (key: string, value: unknown): unknown => (key === 'comment' ? undefined : value);
  return JSON.parse(JSON.stringify(profile, strip));
}

describe('a profile from a file', () => {
  it('may be in the form of runtime-spec', () => {
    const profile = {
      ...{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], flags: ['SECCOMP_FILTER_FLAG_LOG'] },
      syscalls: [
        { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 },
        { names: ['kill'], action: 'SCMP_ACT_LOG', args: [{ index: 1, value: 9, op: 'SCMP_CMP_EQ' }] },
      ],
    };
    const parsed = parseProfile(JSON.stringify(profile), 'f');
    expect(resolveProfile(parsed, PLACE)).toEqual(profile);
  });

  it('may be in Docker’s, with conditions and names of errors', () => {
    const profile = parseProfile(
      JSON.stringify({
        ...{ defaultAction: 'SCMP_ACT_ERRNO', defaultErrno: 'ENOSYS', comment: 'for people' },
        archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
        syscalls: [
          { name: 'a', action: 'SCMP_ACT_ALLOW', args: null, includes: { caps: ['CAP_A', 'CAP_B'] }, excludes: {} },
          { names: ['b'], name: '', action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_C'], arches: ['arm64'] } },
          {
            names: ['c'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: 1,
            errno: 'EPERM',
            includes: { arches: ['amd64', 'x32'] },
          },
        ],
      }),
      'f',
    );
    expect(profile.defaultErrnoRet).toBe(38);
    const [none, ab, c, arm] = [[], ['CAP_A', 'CAP_B'], ['CAP_C'], []].map((capabilities, index) =>
      resolveProfile(profile, { ...PLACE, capabilities, arch: index === 3 ? 'arm64' : 'x64' }),
    );
    const names = (of: typeof none): string[] => of?.syscalls.flatMap((rule) => rule.names) ?? [];
    expect([none, ab, c, arm].map(names)).toEqual([['b', 'c'], ['a', 'b', 'c'], ['c'], []]);
    expect(none?.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
    expect(arm).not.toHaveProperty('architectures');
  });

  const rule = (more: object): object => ({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['a'], action: 'SCMP_ACT_ALLOW', ...more }] }); // prettier-ignore

  it.each<[unknown, string]>([
    [[], 'it is no object'],
    [{}, 'defaultAction is missing'],
    [{ defaultAction: 'ALLOW' }, 'defaultAction has the unknown value "ALLOW"'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscall: [] }, 'syscall is not known'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: {} }, 'syscalls is no list'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['X86'] }, 'architectures[0] has the unknown value "X86"'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', flags: [7] }, 'flags[0] is no text'],
    [{ defaultAction: 'SCMP_ACT_ALLOW', archMap: [], architectures: ['SCMP_ARCH_X86'] }, 'architectures and archMap cannot both be set'], // prettier-ignore
    [rule({ names: [] }), 'syscalls[0].names is empty'],
    [rule({ action: 'x' }), 'syscalls[0].action has the unknown value "x"'],
    [rule({ arguments: [] }), 'syscalls[0].arguments is not known'],
    [rule({ errnoRet: 4096 }), 'syscalls[0].errnoRet is no integer from 0 to 4095'],
    [rule({ errno: 'EWHAT' }), 'syscalls[0].errno has the unknown value "EWHAT"'],
    [
      rule({ args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }),
      'syscalls[0].args[0].index is no integer from 0 to 5',
    ],
    [rule({ args: [{ index: 0, value: -1, op: 'SCMP_CMP_EQ' }] }), `syscalls[0].args[0].value is no integer from 0 to ${Number.MAX_SAFE_INTEGER}`], // prettier-ignore
    [rule({ args: [{ index: 0, value: 0, op: 'EQ' }] }), 'syscalls[0].args[0].op has the unknown value "EQ"'],
    [rule({ args: [{ index: 0, value: 0, op: 'SCMP_CMP_EQ', mask: 1 }] }), 'syscalls[0].args[0].mask is not known'],
    [rule({ includes: { minKernel: 'new' } }), 'syscalls[0].includes.minKernel is "new", which is no such value'],
    [rule({ excludes: { cap: [] } }), 'syscalls[0].excludes.cap is not known'],
  ])('is refused as %j', (profile, message) => {
    expect(thrown(() => parseProfile(JSON.stringify(profile), '/p.json'))).toMatchObject({
      ...{ code: 'invalid-argument', message: `seccomp profile /p.json: ${message}` },
    });
  });

  it('is refused where it is no JSON, no file, or endless', async () => {
    await writeFile(scratch.path('text'), '{');
    await writeFile(scratch.path('big'), ' '.repeat((1 << 20) + 1));
    await runOk('mkfifo', [scratch.path('fifo')], { timeoutMs: 5_000 });
    const outcomes = await Promise.all(
      ['text', 'big', 'fifo', 'none', ''].map((name) => rejection(readProfile(scratch.path(name)))),
    );
    expect(outcomes.map(({ code, message }) => [code, message.replace(scratch.root, '')])).toEqual([
      ['invalid-argument', 'seccomp profile /text is not JSON'],
      ['invalid-argument', 'seccomp profile /big has more than 1048576 bytes'],
      ['failed-precondition', 'cannot load seccomp profile /fifo: it is no file'],
      ['failed-precondition', 'cannot load seccomp profile /none'],
      ['failed-precondition', 'cannot load seccomp profile : it is no file'],
    ]);
  });
});

describe('which filter a process gets', () => {
  const PROCESS = { privileged: false, capabilities: [] };
  const open = (unset: 'unconfined' | 'runtime-default', file = '') => SeccompProfiles.open({ file, unset });

  it('is its own file’s, the standard one or none', async () => {
    await writeFile(scratch.path('p'), '{"defaultAction":"SCMP_ACT_LOG"}');
    const profiles = await open('unconfined');
    const local = { type: 'localhost', ref: scratch.path('p') } as const;
    expect(await profiles.filterFor(local, PROCESS)).toEqual({ defaultAction: 'SCMP_ACT_LOG', syscalls: [] });
    expect((await profiles.filterFor({ type: 'runtime-default' }, PROCESS))?.syscalls.length).toBeGreaterThan(20);
    expect(await profiles.filterFor({ type: 'unconfined' }, PROCESS)).toBeUndefined();
    expect(await profiles.filterFor(local, { ...PROCESS, privileged: true })).toBeUndefined();
  });

  it('is what the configuration says', async () => {
    await writeFile(scratch.path('p'), '{"defaultAction":"SCMP_ACT_LOG"}');
    expect(await (await open('unconfined')).filterFor(undefined, PROCESS)).toBeUndefined();
    const replaced = await open('runtime-default', scratch.path('p'));
    expect(await replaced.filterFor(undefined, PROCESS)).toMatchObject({ defaultAction: 'SCMP_ACT_LOG' });
    expect(replaced.describe()).toEqual({ ...{ available: true, runtimeDefault: scratch.path('p') }, unset: 'runtime-default' }); // prettier-ignore
    await writeFile(scratch.path('bad'), '{"defaultAction":"no"}');
    expect((await rejection(open('unconfined', scratch.path('bad')))).message).toContain('defaultAction');
  });

  it('is never left out where the kernel has none', async () => {
    const none = new SeccompProfiles(DEFAULT_PROFILE, { file: '', unset: 'unconfined' }, false);
    expect(await none.filterFor(undefined, PROCESS)).toBeUndefined();
    expect((await rejection(none.filterFor({ type: 'runtime-default' }, PROCESS))).code).toBe('failed-precondition');
  });
});
