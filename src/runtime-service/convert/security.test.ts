import { describe, expect, it } from '@jest/globals';
import Long from 'long';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { thrown } from '../../base/testing.js';
import { SECURITY } from '../container/testing.js';
import { toSecurity } from './security.js';
import { unknown } from './testing.js';

type Context = runtime.v1.ILinuxContainerSecurityContext;
const { NamespaceMode, SecurityProfile, SupplementalGroupsPolicy } = runtime.v1;
const { Localhost, RuntimeDefault, Unconfined } = SecurityProfile.ProfileType;
const FIELD = 'config.linux.security_context';

function convert(context: Context) {
  const bytes = runtime.v1.LinuxContainerSecurityContext.encode(context).finish();
  return toSecurity(runtime.v1.LinuxContainerSecurityContext.decode(bytes));
}

describe('toSecurity', () => {
  it.each([null, undefined])('fills in what %p does not say', (context) => {
    expect(toSecurity(context)).toEqual({ ...SECURITY, pid: 'pod' });
  });

  it('takes an empty list of a context that is there for what it says', () => {
    expect(convert({})).toEqual({ ...SECURITY, pid: 'pod', maskedPaths: [], readonlyPaths: [] });
  });

  it('takes what is said', () => {
    const config = convert({
      ...{ readonlyRootfs: true, noNewPrivs: true, maskedPaths: ['/m'], readonlyPaths: ['/r'] },
      capabilities: { addCapabilities: ['KILL'], dropCapabilities: ['ALL'], addAmbientCapabilities: ['CHOWN'] },
      namespaceOptions: { pid: NamespaceMode.TARGET, targetId: 'abc' },
      ...{ runAsUser: { value: Long.ZERO }, runAsGroup: { value: Long.fromNumber(4_294_967_294) } },
      ...{
        supplementalGroups: [Long.fromNumber(5), Long.fromNumber(6)],
        supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict,
      },
    });
    expect(config).toEqual({
      ...{ privileged: false, addCapabilities: ['KILL'], dropCapabilities: ['ALL'], pid: 'target', targetId: 'abc' },
      addAmbientCapabilities: ['CHOWN'],
      ...{ uid: 0, username: '', gid: 4_294_967_294, supplementalGroups: [5, 6], groupsPolicy: 'strict' },
      ...{ readonlyRootfs: true, noNewPrivileges: true, maskedPaths: ['/m'], readonlyPaths: ['/r'] },
    });
  });

  it.each<[Context, string]>([
    [{ runAsUser: { value: Long.ONE }, runAsUsername: 'a' }, `${FIELD}: run_as_user and run_as_username are both set`],
    [{ runAsUser: { value: Long.NEG_ONE } }, `${FIELD}.run_as_user is no id: -1`],
    [{ runAsGroup: { value: Long.fromNumber(4_294_967_295) } }, `${FIELD}.run_as_group is no id: 4294967295`],
    [{ supplementalGroups: [Long.ONE, Long.fromNumber(2 ** 40)] }, `${FIELD}.supplemental_groups is no id: ${2 ** 40}`],
    [{ namespaceOptions: { pid: unknown(9) } }, `${FIELD}.namespace_options.pid has the unknown value 9`],
    [{ maskedPaths: ['/m', 'proc/kcore'] }, `${FIELD}.masked_paths[1] is not an absolute path: "proc/kcore"`],
    [{ readonlyPaths: [''] }, `${FIELD}.readonly_paths[0] is missing`],
    [{ supplementalGroupsPolicy: unknown(9) }, `${FIELD}.supplemental_groups_policy has the unknown value 9`],
  ])('refuses %j', (context, message) => {
    expect(thrown(() => convert(context))).toMatchObject({ code: 'invalid-argument', message });
  });
});

describe('profiles', () => {
  const local = (ref: string) => ({ type: 'localhost', ref });

  it.each<[Context, { seccomp?: object; apparmor?: object }]>([
    [{}, {}],
    [{ seccompProfilePath: '', apparmorProfile: '' }, {}],
    [
      { seccomp: {}, apparmor: {} },
      { seccomp: { type: 'runtime-default' }, apparmor: { type: 'runtime-default' } },
    ],
    [
      { seccomp: { profileType: Unconfined }, apparmor: { profileType: RuntimeDefault } },
      { seccomp: { type: 'unconfined' }, apparmor: { type: 'runtime-default' } },
    ],
    [
      {
        seccomp: { profileType: Localhost, localhostRef: '/p.json' },
        apparmor: { profileType: Localhost, localhostRef: 'localhost/mine' },
      },
      { seccomp: local('/p.json'), apparmor: local('mine') },
    ],
    [
      { seccompProfilePath: 'localhost//p.json', apparmorProfile: 'localhost/mine' },
      { seccomp: local('/p.json'), apparmor: local('mine') },
    ],
    [
      { seccompProfilePath: 'docker/default', apparmorProfile: 'unconfined' },
      { seccomp: { type: 'runtime-default' }, apparmor: { type: 'unconfined' } },
    ],
    [{ seccomp: { profileType: Unconfined }, seccompProfilePath: 'localhost/x' }, { seccomp: { type: 'unconfined' } }],
  ])('of %j are %j', (context, expected) => {
    const { seccomp, apparmor } = convert(context);
    expect({ seccomp, apparmor }).toEqual({ seccomp: undefined, apparmor: undefined, ...expected });
  });

  it.each<[Context, string]>([
    [{ seccomp: { profileType: Localhost } }, 'seccomp names no local profile'],
    [{ seccomp: { profileType: Localhost, localhostRef: 'p' } }, 'seccomp.localhost_ref is not an absolute path: "p"'],
    [{ seccomp: { localhostRef: '/p' } }, 'seccomp.localhost_ref is set, but profile_type is not Localhost'],
    [{ seccomp: { profileType: unknown(77) } }, 'seccomp.profile_type has the unknown value 77'],
    [{ seccompProfilePath: 'p' }, 'seccomp_profile_path is no profile: "p"'],
    [{ seccompProfilePath: 'localhost/p' }, 'seccomp_profile_path is not an absolute path: "p"'],
    [{ apparmor: { profileType: Localhost } }, 'apparmor names no local profile'],
    [{ apparmorProfile: 'mine' }, 'apparmor_profile is no profile: "mine"'],
  ])('%j are refused', (context, message) => {
    expect(thrown(() => convert(context))).toMatchObject({ code: 'invalid-argument', message: `${FIELD}.${message}` });
  });
});
