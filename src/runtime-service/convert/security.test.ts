import { existsSync, readFileSync } from 'node:fs';

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
  it.each([null, undefined, {}])('fills in what %p does not say', (context) => {
    expect(toSecurity(context)).toEqual({ ...SECURITY, pid: 'pod' });
  });

  it('takes what is said', () => {
    const config = convert({
      ...{ readonlyRootfs: true, noNewPrivs: true, maskedPaths: ['/m'], readonlyPaths: ['/r'] },
      capabilities: { addCapabilities: ['KILL'], dropCapabilities: ['ALL'] },
      namespaceOptions: { pid: NamespaceMode.TARGET, targetId: 'abc' },
      ...{ runAsUser: { value: Long.ZERO }, runAsGroup: { value: Long.fromNumber(4_294_967_294) } },
      ...{
        supplementalGroups: [Long.fromNumber(5), Long.fromNumber(6)],
        supplementalGroupsPolicy: SupplementalGroupsPolicy.Strict,
      },
    });
    expect(config).toEqual({
      ...{ privileged: false, addCapabilities: ['KILL'], dropCapabilities: ['ALL'], pid: 'target', targetId: 'abc' },
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
    [{ supplementalGroupsPolicy: unknown(9) }, `${FIELD}.supplemental_groups_policy has the unknown value 9`],
  ])('refuses %j', (context, message) => {
    expect(thrown(() => convert(context))).toMatchObject({ code: 'invalid-argument', message });
  });
});

describe('confinement that is not served', () => {
  it.each<Context>([
    { seccomp: { profileType: RuntimeDefault } },
    { seccomp: { profileType: Localhost, localhostRef: '/p.json' } },
    { seccomp: { profileType: unknown(77) } },
    { seccompProfilePath: 'runtime/default' },
    { seccompProfilePath: 'localhost//p.json' },
    { apparmor: { profileType: Localhost, localhostRef: 'x' } },
    { apparmorProfile: 'localhost/x' },
    { capabilities: { addAmbientCapabilities: ['KILL'] } },
    { namespaceOptions: { usernsOptions: { mode: NamespaceMode.POD } } },
  ])('is never left out in silence: %j', (context) => {
    expect(thrown(() => convert(context))).toMatchObject({ code: 'unimplemented' });
  });

  it.each<Context>([
    { seccomp: { profileType: Unconfined }, apparmor: { profileType: Unconfined } },
    { seccompProfilePath: 'unconfined', apparmorProfile: 'unconfined' },
    { seccompProfilePath: '', apparmorProfile: '' },
    { seccomp: { profileType: Unconfined }, seccompProfilePath: 'localhost/x' },
    { namespaceOptions: { usernsOptions: { mode: NamespaceMode.NODE } } },
    { privileged: true, seccomp: { profileType: RuntimeDefault }, apparmorProfile: 'localhost/x' },
  ])('does not refuse %j', (context) => {
    expect(convert(context)).toMatchObject({ username: '' });
  });

  it('follows the host where it is the default', () => {
    const parameter = '/sys/module/apparmor/parameters/enabled';
    const enabled = existsSync(parameter) && readFileSync(parameter, 'latin1').startsWith('Y');
    const ask = () => convert({ apparmor: { profileType: RuntimeDefault } });
    if (enabled) expect(thrown(ask)).toMatchObject({ code: 'unimplemented' });
    else expect(ask()).toEqual({ ...SECURITY, pid: 'pod' });
  });

  it('names the profile', () => {
    expect(thrown(() => convert({ apparmorProfile: 'localhost/mine' }))).toMatchObject({
      message: `${FIELD}.apparmor: the profile "mine" cannot be applied yet`,
    });
  });
});
