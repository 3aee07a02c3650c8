import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument } from '../../base/errors.js';
import type { SecurityProfile } from '../../oci/security-profile.js';
import { badOption, type SelinuxOptions } from '../../oci/selinux/label.js';
import type { SecurityConfig } from '../container/types.js';
import { toSecurityProfile } from './security-profile.js';
import { absolutePath, fromEnum, toNumber } from './values.js';

type Context = runtime.v1.ILinuxContainerSecurityContext;
const { NamespaceMode, SupplementalGroupsPolicy } = runtime.v1;
const FIELD = 'config.linux.security_context';

const PID = {
  [NamespaceMode.POD]: 'pod',
  [NamespaceMode.CONTAINER]: 'container',
  [NamespaceMode.NODE]: 'node',
  [NamespaceMode.TARGET]: 'target',
} as const;
const POLICY = { [SupplementalGroupsPolicy.Merge]: 'merge', [SupplementalGroupsPolicy.Strict]: 'strict' } as const;

/** @throws invalid-argument for contradictions, naming the field. */
export function toSecurity(context: Context | null | undefined): SecurityConfig {
  const given = context ?? {};
  const { runAsUser, runAsGroup, runAsUsername, namespaceOptions } = given;
  const selinux = toSelinux(given.selinuxOptions, FIELD);
  if (runAsUser && runAsUsername) throw invalidArgument(`${FIELD}: run_as_user and run_as_username are both set`);
  return {
    privileged: given.privileged ?? false,
    addCapabilities: given.capabilities?.addCapabilities ?? [],
    dropCapabilities: given.capabilities?.dropCapabilities ?? [],
    addAmbientCapabilities: given.capabilities?.addAmbientCapabilities ?? [],
    pid: fromEnum(PID, namespaceOptions?.pid, `${FIELD}.namespace_options.pid`),
    targetId: namespaceOptions?.targetId ?? '',
    ...(runAsUser ? { uid: toId(runAsUser.value, 'run_as_user') } : {}),
    username: runAsUsername ?? '',
    ...(runAsGroup ? { gid: toId(runAsGroup.value, 'run_as_group') } : {}),
    supplementalGroups: toGroups(given.supplementalGroups ?? []),
    groupsPolicy: fromEnum(POLICY, given.supplementalGroupsPolicy, `${FIELD}.supplemental_groups_policy`),
    readonlyRootfs: given.readonlyRootfs ?? false,
    noNewPrivileges: given.noNewPrivs ?? false,
    ...toProcPaths(context),
    ...toProfiles(given),
    ...(selinux === undefined ? {} : { selinux }),
  };
}

/** Lists are never absent in protobuf, so that an empty one of a context that is there says "none": procMount Unmasked. */
function toProcPaths(context: Context | null | undefined): Pick<SecurityConfig, 'maskedPaths' | 'readonlyPaths'> {
  if (!context) return {};
  const paths = (list: readonly string[] | null | undefined, name: string): string[] =>
    (list ?? []).map((path, index) => absolutePath(path, `${FIELD}.${name}[${index}]`));
  return {
    maskedPaths: paths(context.maskedPaths, 'masked_paths'),
    readonlyPaths: paths(context.readonlyPaths, 'readonly_paths'),
  };
}

function toProfiles(given: Context): Pick<SecurityConfig, 'seccomp' | 'apparmor'> {
  const seccomp = toSeccompProfile(given, FIELD);
  const apparmor = toSecurityProfile({
    ...{ profile: given.apparmor, old: given.apparmorProfile },
    ...{ field: `${FIELD}.apparmor`, oldField: `${FIELD}.apparmor_profile` },
  });
  return { ...(seccomp === undefined ? {} : { seccomp }), ...(apparmor === undefined ? {} : { apparmor }) };
}

/** @throws invalid-argument naming the field; a file of the node is meant by its absolute path. */
export function toSeccompProfile(
  given: Pick<Context, 'seccomp' | 'seccompProfilePath'>,
  field: string,
): SecurityProfile | undefined {
  const profile = toSecurityProfile({
    ...{ profile: given.seccomp, old: given.seccompProfilePath },
    ...{ field: `${field}.seccomp`, oldField: `${field}.seccomp_profile_path` },
  });
  if (profile?.type !== 'localhost') return profile;
  const place = given.seccomp ? 'seccomp.localhost_ref' : 'seccomp_profile_path';
  return { ...profile, ref: absolutePath(profile.ref, `${field}.${place}`) };
}

/** NGROUPS_MAX; the user's own group is one more. */
const MAX_GROUPS = 65_535;

function toGroups(groups: readonly Parameters<typeof toNumber>[0][]): number[] {
  if (groups.length > MAX_GROUPS)
    throw invalidArgument(`${FIELD}.supplemental_groups has ${groups.length} groups, more than ${MAX_GROUPS}`);
  return groups.map((group) => toId(group, 'supplemental_groups'));
}

function toId(value: Parameters<typeof toNumber>[0], name: string): number {
  const id = toNumber(value, `${FIELD}.${name}`);
  if (id < 0 || id >= 0xffff_ffff) throw invalidArgument(`${FIELD}.${name} is no id: ${id}`);
  return id;
}

/** What is empty says nothing. @throws invalid-argument naming the field, below `where`, that can be part of no label. */
export function toSelinux(
  options: runtime.v1.ISELinuxOption | null | undefined,
  where: string,
): SelinuxOptions | undefined {
  const given = {
    ...{ user: options?.user ?? '', role: options?.role ?? '' },
    ...{ type: options?.type ?? '', level: options?.level ?? '' },
  };
  const bad = badOption(given);
  if (bad !== undefined) throw invalidArgument(`${where}.selinux_options.${bad} is in no label: "${given[bad]}"`);
  return Object.values(given).some((value) => value !== '') ? given : undefined;
}
