import { describe, expect, it } from '@jest/globals';

import { thrown } from '../base/testing.js';
import { planSysctls } from './sysctls.js';
import { podConfig } from './testing.js';
import type { SandboxConfig } from './types.js';

function plan(sysctls: Record<string, string>, namespaces: Partial<SandboxConfig['namespaces']> = {}) {
  const usual = { network: 'pod', pid: 'pod', ipc: 'pod' } as const;
  return planSysctls(podConfig({ sysctls, namespaces: { ...usual, ...namespaces } }));
}

describe('planSysctls', () => {
  it.each([
    ['net.core.somaxconn', '/proc/sys/net/core/somaxconn'],
    ['net/core/somaxconn', '/proc/sys/net/core/somaxconn'],
    ['net.ipv4.conf.eth0/1.rp_filter', '/proc/sys/net/ipv4/conf/eth0.1/rp_filter'],
    ['net/ipv4/conf/eth0.1/rp_filter', '/proc/sys/net/ipv4/conf/eth0.1/rp_filter'],
    ['net.ipv6.conf.br-a@1.mtu', '/proc/sys/net/ipv6/conf/br-a@1/mtu'],
  ])('writes %s into the network namespace', (name, path) => {
    expect(plan({ [name]: '1' })).toEqual({ network: [[path, '1']], runtime: {} });
  });

  it.each(['kernel.shmmax', 'kernel.sem', 'kernel.msgmni', 'kernel.shm_rmid_forced', 'fs.mqueue.msg_max'])(
    'gives %s to the runtime',
    (name) => {
      expect(plan({ [name]: '5' })).toEqual({ network: [], runtime: { [name]: '5' } });
    },
  );

  it('takes slashes for dots there too', () => {
    expect(plan({ 'kernel/shmmax': '5', 'fs/mqueue/msg_max': '6' }).runtime).toEqual({
      'kernel.shmmax': '5',
      'fs.mqueue.msg_max': '6',
    });
  });

  it.each([
    'kernel.hostname',
    'kernel.core_pattern',
    'kernel.shmmaxx',
    'vm.swappiness',
    'fs.file-max',
    'fs.mqueue.a.b',
    'net',
    'net.',
    'network.x',
    '',
    'net..ipv4',
    'net.ipv4.',
    'net.//.kernel.core_pattern',
    'net.x.//.//.kernel.core_pattern',
    'net/../kernel/core_pattern',
    'net.ipv4/.x',
    'net.ipv4.a b',
    'net.ipv4.a\0',
    'net.ipv4.a\nb',
    '/net/core/somaxconn',
  ])('refuses %j, which is of the node', (name) => {
    expect(thrown(() => plan({ [name]: '1' }))).toMatchObject({
      code: 'invalid-argument',
      message: `sysctl "${name}" is of no namespace of the pod`,
    });
  });

  it.each([
    ['net.core.somaxconn', { network: 'node' }, "the node's network"],
    ['kernel.shmmax', { ipc: 'node' }, "the node's IPC namespace"],
  ] as const)('refuses %s for a pod that is %p', (name, namespaces, where) => {
    expect(thrown(() => plan({ [name]: '1' }, namespaces))).toMatchObject({
      code: 'invalid-argument',
      message: `sysctl "${name}" is the node's: the pod uses ${where}`,
    });
    const other = name.startsWith('net') ? ({ ipc: 'node' } as const) : ({ network: 'node' } as const);
    expect(() => plan({ [name]: '1' }, other)).not.toThrow();
  });
});
