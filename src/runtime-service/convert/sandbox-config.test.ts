import { describe, expect, it } from '@jest/globals';
import Long from 'long';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { thrown } from '../../base/testing.js';
import { toSandboxConfig } from './sandbox-config.js';
import { unknown } from './testing.js';

type Config = runtime.v1.IPodSandboxConfig;
const { NamespaceMode, Protocol } = runtime.v1;

const metadata = { name: 'web', namespace: 'shop', uid: 'u1', attempt: 2 };
const range = { hostId: 65_536, containerId: 0, length: 65_536 };
const options = (namespaceOptions: runtime.v1.INamespaceOption): Config => ({
  linux: { securityContext: { namespaceOptions } },
});

/** As it comes off the wire: absent messages are null, absent fields have their defaults. */
function convert(config: Config) {
  const bytes = runtime.v1.PodSandboxConfig.encode(config).finish();
  return toSandboxConfig(runtime.v1.PodSandboxConfig.decode(bytes), 'runc');
}

describe('toSandboxConfig', () => {
  it('fills in what is not said', () => {
    expect(convert({ metadata })).toEqual({
      ...{ metadata, hostname: '', logDirectory: '', portMappings: [], labels: {}, annotations: {}, sysctls: {} },
      ...{ cgroupParent: '', runtimeHandler: 'runc', privileged: false },
      namespaces: { network: 'pod', pid: 'pod', ipc: 'pod' },
    });
  });

  it('takes the name that a pod with a network of its own asks for', () => {
    expect(convert({ metadata, hostname: 'web-0' })).toMatchObject({ hostname: 'web-0' });
  });

  it('takes what is said', () => {
    const config = convert({
      ...{ metadata, logDirectory: '/var/log/pods/x', labels: { a: 'b' }, annotations: { c: 'd' } },
      dnsConfig: { servers: ['10.0.0.10'], searches: ['svc'] },
      portMappings: [
        { protocol: Protocol.UDP, containerPort: 53, hostPort: 5353, hostIp: '::1' },
        { containerPort: 80 },
      ],
      linux: {
        ...{ cgroupParent: '/kubepods/x', sysctls: { 'net.core.somaxconn': '1' } },
        securityContext: {
          privileged: true,
          namespaceOptions: { network: NamespaceMode.NODE, pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.NODE },
        },
      },
    });
    expect(config).toMatchObject({
      ...{ hostname: '', logDirectory: '/var/log/pods/x', labels: { a: 'b' }, annotations: { c: 'd' } },
      ...{ cgroupParent: '/kubepods/x', sysctls: { 'net.core.somaxconn': '1' }, privileged: true },
      dns: { servers: ['10.0.0.10'], searches: ['svc'], options: [] },
      portMappings: [
        { protocol: 'udp', containerPort: 53, hostPort: 5353, hostIp: '::1' },
        { protocol: 'tcp', containerPort: 80, hostPort: 0, hostIp: '' },
      ],
      namespaces: { network: 'node', pid: 'container', ipc: 'node' },
    });
  });

  const NS = 'config.linux.security_context.namespace_options';
  it.each<[Config | null, string, string]>([
    [null, 'invalid-argument', 'config is missing'],
    [{}, 'invalid-argument', 'config.metadata is missing'],
    [{ metadata: { ...metadata, name: '' } }, 'invalid-argument', 'config.metadata.name is missing'],
    [{ metadata: { ...metadata, namespace: '' } }, 'invalid-argument', 'config.metadata.namespace is missing'],
    [{ metadata: { ...metadata, uid: '' } }, 'invalid-argument', 'config.metadata.uid is missing'],
    ...(['name', 'namespace', 'uid'] as const).map((field): [Config, string, string] => [
      { metadata: { ...metadata, [field]: 'ä'.repeat(513) } },
      'invalid-argument',
      `config.metadata.${field} has 1026 bytes, more than 1024`,
    ]),
    [{ hostname: 'a b' }, 'invalid-argument', 'config.hostname is no hostname: "a b"'],
    [{ hostname: 'a\n' }, 'invalid-argument', 'config.hostname is no hostname: "a\n"'],
    [{ hostname: 'x'.repeat(65) }, 'invalid-argument', `config.hostname is no hostname: "${'x'.repeat(65)}"`],
    [
      { hostname: 'web-0', linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } },
      'invalid-argument',
      'config.hostname is "web-0", but a pod on the node\'s network has the node\'s name',
    ],
    [{ logDirectory: 'logs' }, 'invalid-argument', 'config.log_directory is not an absolute path: "logs"'],
    [{ portMappings: [{}, { hostPort: -1 }] }, 'invalid-argument', 'config.port_mappings[1].host_port is no port: -1'],
    [
      { portMappings: [{ containerPort: 65_536 }] },
      'invalid-argument',
      'config.port_mappings[0].container_port is no port: 65536',
    ],
    [
      { portMappings: [{ protocol: unknown(9) }] },
      'invalid-argument',
      'config.port_mappings[0].protocol has the unknown value 9',
    ],
    [options({ network: NamespaceMode.CONTAINER }), 'invalid-argument', `${NS}.network has the unknown value 1`],
    [options({ ipc: unknown(7) }), 'invalid-argument', `${NS}.ipc has the unknown value 7`],
    [options({ pid: unknown(8) }), 'invalid-argument', `${NS}.pid has the unknown value 8`],
    [
      options({ pid: NamespaceMode.TARGET }),
      'unimplemented',
      `${NS}.pid: a sandbox cannot join a container's namespace`,
    ],
    [
      options({ usernsOptions: { mode: NamespaceMode.POD } }),
      'invalid-argument',
      'namespace_options.userns_options.uids must have exactly one mapping, not 0',
    ],
    [
      options({ usernsOptions: { uids: [range], gids: [range, range] } }),
      'invalid-argument',
      'namespace_options.userns_options.gids must have exactly one mapping, not 2',
    ],
    [
      options({ usernsOptions: { uids: [range], gids: [{ ...range, length: 0 }] } }),
      'invalid-argument',
      'namespace_options.userns_options.gids maps no ids: its length is 0',
    ],
    [
      options({ usernsOptions: { uids: [{ ...range, hostId: 0xffff_fff0 }], gids: [range] } }),
      'invalid-argument',
      'namespace_options.userns_options.uids goes past the last id',
    ],
    [
      options({ usernsOptions: { uids: [range], gids: [{ ...range, containerId: 1 }] } }),
      'invalid-argument',
      'namespace_options.userns_options does not map id 0 of the pod, which root needs',
    ],
    [
      options({ usernsOptions: { mode: NamespaceMode.NODE, uids: [range], gids: [range] } }),
      'invalid-argument',
      "namespace_options.userns_options has mappings, which the node's namespace cannot have",
    ],
    [
      options({ usernsOptions: { mode: NamespaceMode.TARGET } }),
      'invalid-argument',
      "namespace_options.userns_options.mode is 3: a pod has one of its own, or the node's",
    ],
    [
      options({ ipc: NamespaceMode.NODE, usernsOptions: { uids: [range], gids: [range] } }),
      'invalid-argument',
      "namespace_options: a user namespace of the pod's own goes not with the node's ipc",
    ],
  ])('refuses %j', (config, code, message) => {
    const whole = config === null || Object.keys(config).length === 0 ? config : { metadata, ...config };
    expect(thrown(() => (whole === null ? toSandboxConfig(null, '') : convert(whole)))).toMatchObject({
      code,
      message,
    });
  });

  it('keeps what the pod may take, and names what no kernel would', () => {
    const long = (value: number): Long => Long.fromNumber(value);
    const linux = { overhead: { memoryLimitInBytes: long(1000) }, resources: { cpuShares: long(512) } };
    expect(convert({ metadata, linux })).toMatchObject({
      overhead: { memoryLimit: 1000 },
      resources: { cpuShares: 512 },
    });
    const wrong = { metadata, linux: { overhead: { oomScoreAdj: long(2000) } } };
    expect(thrown(() => convert(wrong))).toMatchObject({
      code: 'invalid-argument',
      message: 'config.linux.overhead.oom_score_adj is not between -1000 and 1000',
    });
  });

  it('serves a user namespace that is the node’s', () => {
    const config = convert({ metadata, ...options({ usernsOptions: { mode: NamespaceMode.NODE } }) });
    expect(config.namespaces).toEqual({ network: 'pod', pid: 'pod', ipc: 'pod' });
    expect(config.userns).toBeUndefined();
  });

  it('serves one of the pod’s own, with overhead and resources to tell', () => {
    const { linux } = options({ usernsOptions: { uids: [range], gids: [{ ...range, hostId: 9 }] } });
    const config = convert({ metadata, linux: { ...linux, overhead: { cpuShares: Long.fromNumber(5) } } });
    expect(config.userns).toEqual({ uid: range, gid: { ...range, hostId: 9 } });
    expect([config.overhead?.cpuShares, config.resources]).toEqual([5, undefined]);
  });

  it('has one of its own on the node’s network, too', () => {
    const both = options({ network: NamespaceMode.NODE, usernsOptions: { uids: [range], gids: [range] } });
    const config = convert({ metadata, ...both });
    expect([config.namespaces.network, config.userns]).toEqual(['node', { uid: range, gid: range }]);
  });
});
