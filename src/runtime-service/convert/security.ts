import { existsSync, readFileSync } from 'node:fs';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { SecurityConfig } from '../container/types.js';
import { fromEnum, toNumber } from './values.js';

type Context = runtime.v1.ILinuxContainerSecurityContext;
const { NamespaceMode, SecurityProfile, SupplementalGroupsPolicy } = runtime.v1;
const { ProfileType } = SecurityProfile;
const FIELD = 'config.linux.security_context';

const PID = {
  [NamespaceMode.POD]: 'pod',
  [NamespaceMode.CONTAINER]: 'container',
  [NamespaceMode.NODE]: 'node',
  [NamespaceMode.TARGET]: 'target',
} as const;
const POLICY = { [SupplementalGroupsPolicy.Merge]: 'merge', [SupplementalGroupsPolicy.Strict]: 'strict' } as const;

/**
 * @throws invalid-argument for contradictions; unimplemented for confinement that is not served yet: a container that
 * asks for it must not run without.
 */
export function toSecurity(context: Context | null | undefined): SecurityConfig {
  const given = context ?? {};
  const { runAsUser, runAsGroup, runAsUsername, namespaceOptions } = given;
  refuseUnserved(given);
  if (runAsUser && runAsUsername) throw invalidArgument(`${FIELD}: run_as_user and run_as_username are both set`);
  return {
    privileged: given.privileged ?? false,
    addCapabilities: given.capabilities?.addCapabilities ?? [],
    dropCapabilities: given.capabilities?.dropCapabilities ?? [],
    pid: fromEnum(PID, namespaceOptions?.pid, `${FIELD}.namespace_options.pid`),
    targetId: namespaceOptions?.targetId ?? '',
    ...(runAsUser ? { uid: toId(runAsUser.value, 'run_as_user') } : {}),
    username: runAsUsername ?? '',
    ...(runAsGroup ? { gid: toId(runAsGroup.value, 'run_as_group') } : {}),
    supplementalGroups: (given.supplementalGroups ?? []).map((group) => toId(group, 'supplemental_groups')),
    groupsPolicy: fromEnum(POLICY, given.supplementalGroupsPolicy, `${FIELD}.supplemental_groups_policy`),
    readonlyRootfs: given.readonlyRootfs ?? false,
    noNewPrivileges: given.noNewPrivs ?? false,
    maskedPaths: given.maskedPaths ?? [],
    readonlyPaths: given.readonlyPaths ?? [],
  };
}

function toId(value: Parameters<typeof toNumber>[0], name: string): number {
  const id = toNumber(value, `${FIELD}.${name}`);
  if (id < 0 || id >= 0xffff_ffff) throw invalidArgument(`${FIELD}.${name} is no id: ${id}`);
  return id;
}

function refuseUnserved(given: Context): void {
  refuseUserNamespace(given.namespaceOptions?.usernsOptions);
  if ((given.capabilities?.addAmbientCapabilities ?? []).length > 0) {
    throw unimplemented(`${FIELD}.capabilities.add_ambient_capabilities is not served yet`);
  }
  if (given.privileged) return;
  const seccomp = given.seccomp ?? oldProfile(given.seccompProfilePath);
  if (seccomp && seccomp.profileType !== ProfileType.Unconfined) {
    throw unimplemented(`${FIELD}.seccomp: only Unconfined is served yet`);
  }
  const apparmor = given.apparmor ?? oldProfile(given.apparmorProfile);
  if (apparmor?.profileType === ProfileType.Localhost) {
    throw unimplemented(`${FIELD}.apparmor: the profile "${apparmor.localhostRef ?? ''}" cannot be applied yet`);
  }
  const runtimeDefault = apparmor && (apparmor.profileType ?? 0) === ProfileType.RuntimeDefault;
  if (runtimeDefault && hasAppArmor()) throw unimplemented(`${FIELD}.apparmor: RuntimeDefault is not served yet`);
  if (given.selinuxOptions && existsSync('/sys/fs/selinux/enforce'))
    throw unimplemented(`${FIELD}.selinux_options is not served yet`);
}

/** The deprecated form of a profile: `unconfined`, `runtime/default` or `localhost/<name>`. */
function oldProfile(text: string | null | undefined): runtime.v1.ISecurityProfile | undefined {
  if (!text) return undefined;
  if (text === 'unconfined') return { profileType: ProfileType.Unconfined };
  if (text === 'runtime/default') return { profileType: ProfileType.RuntimeDefault };
  return { profileType: ProfileType.Localhost, localhostRef: text.replace(/^localhost\//, '') };
}

/** A pod's own user namespace is mode POD; NODE, or no option, is the node's. */
export function refuseUserNamespace(options: runtime.v1.IUserNamespace | null | undefined): void {
  if (options && options.mode !== NamespaceMode.NODE)
    throw unimplemented('namespace_options.userns_options: only NODE is served yet');
}

function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'latin1').startsWith('Y');
  } catch {
    return false;
  }
}
