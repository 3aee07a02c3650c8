import { describe, expect, it } from '@jest/globals';
import Long from 'long';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { thrown } from '../../base/testing.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { signalName } from '../container/signals.js';
import { SECURITY } from '../container/testing.js';
import { toContainerConfig } from './container-config.js';
import { unknown } from './testing.js';

type Config = runtime.v1.IContainerConfig;
const { MountPropagation, Signal } = runtime.v1;

const base: Config = { metadata: { name: 'app', attempt: 3 }, image: { image: 'sha256:1' } };

/** As it comes off the wire: absent messages are null, absent fields have their defaults. */
function convert(config: Config) {
  const bytes = runtime.v1.ContainerConfig.encode({ ...base, ...config }).finish();
  return toContainerConfig(runtime.v1.ContainerConfig.decode(bytes));
}

describe('toContainerConfig', () => {
  it('fills in what is not said', () => {
    expect(convert({})).toEqual({
      ...{ metadata: { name: 'app', attempt: 3 }, image: 'sha256:1', userSpecifiedImage: '', command: [], args: [] },
      ...{ workingDir: '', env: [], mounts: [], devices: [], labels: {}, annotations: {}, logPath: '', stopSignal: '' },
      ...{ stdin: false, stdinOnce: false, tty: false, resources: NO_LIMITS },
      security: { ...SECURITY, pid: 'pod' },
    });
  });

  it('takes what is said', () => {
    const config = convert({
      ...{ command: ['/c'], args: ['a', ''], workingDir: '/w', labels: { a: 'b' }, annotations: { c: 'd' } },
      ...{ logPath: 'app/0.log', stdin: true, stdinOnce: true, tty: true, stopSignal: Signal.SIGRTMINPLUS3 },
      image: { image: 'sha256:1', userSpecifiedImage: 'busybox' },
      envs: [{ key: 'A', value: Buffer.from('ü=1') }, { key: 'EMPTY' }],
      mounts: [
        {
          containerPath: '/d',
          hostPath: '/h',
          readonly: true,
          propagation: MountPropagation.PROPAGATION_BIDIRECTIONAL,
        },
        { containerPath: '/e', hostPath: '/h', propagation: MountPropagation.PROPAGATION_HOST_TO_CONTAINER },
      ],
      devices: [{ containerPath: '/dev/x', hostPath: '/dev/null', permissions: 'rw' }],
      linux: {
        resources: {
          memoryLimitInBytes: Long.fromNumber(2 ** 40),
          cpuQuota: Long.NEG_ONE,
          unified: { 'memory.high': '5' },
        },
      },
    });
    expect(config).toMatchObject({
      ...{ command: ['/c'], args: ['a', ''], workingDir: '/w', labels: { a: 'b' }, annotations: { c: 'd' } },
      ...{ logPath: 'app/0.log', stdin: true, stdinOnce: true, tty: true, stopSignal: 'SIGRTMINPLUS3' },
      userSpecifiedImage: 'busybox',
      env: [
        { key: 'A', value: 'ü=1' },
        { key: 'EMPTY', value: '' },
      ],
      mounts: [
        { containerPath: '/d', hostPath: '/h', readonly: true, propagation: 'bidirectional' },
        { containerPath: '/e', hostPath: '/h', readonly: false, propagation: 'host-to-container' },
      ],
      devices: [{ containerPath: '/dev/x', hostPath: '/dev/null', permissions: 'rw' }],
      resources: { memoryLimit: 2 ** 40, cpuQuota: -1, unified: { 'memory.high': '5' } },
    });
  });

  it('gives every signal of CRI a name that containers know', () => {
    const values = Object.values(Signal).filter(
      (value): value is runtime.v1.Signal => typeof value === 'number' && value !== Signal.RUNTIME_DEFAULT,
    );
    expect(values).toHaveLength(65);
    for (const value of values) expect(signalName(convert({ stopSignal: value }).stopSignal)).toBeDefined();
  });

  const mount = { containerPath: '/d', hostPath: '/h' };
  const device = { containerPath: '/dev/x', hostPath: '/dev/x' };
  const limits = (resources: runtime.v1.ILinuxContainerResources): Config => ({ linux: { resources } });
  it.each<[Config, string, string]>([
    [{ metadata: null }, 'invalid-argument', 'config.metadata is missing'],
    [{ metadata: { name: '' } }, 'invalid-argument', 'config.metadata.name is missing'],
    [{ image: null }, 'invalid-argument', 'config.image.image is missing'],
    [{ image: { image: '' } }, 'invalid-argument', 'config.image.image is missing'],
    [{ workingDir: 'app' }, 'invalid-argument', 'config.working_dir is not an absolute path: "app"'],
    [{ envs: [{ key: 'A' }, { key: '' }] }, 'invalid-argument', 'config.envs[1].key is missing'],
    [{ envs: [{ key: 'A=B' }] }, 'invalid-argument', 'config.envs[0]: "A=B" cannot be in an environment'],
    [
      { envs: [{ key: 'A', value: Buffer.from('x\0') }] },
      'invalid-argument',
      'config.envs[0]: "A" cannot be in an environment',
    ],
    [
      { envs: [{ key: 'A', value: Buffer.from([0xff]) }] },
      'invalid-argument',
      'config.envs[0].value is not UTF-8, which the OCI runtime needs',
    ],
    [{ mounts: [mount, { hostPath: '/h' }] }, 'invalid-argument', 'config.mounts[1].container_path is missing'],
    [{ mounts: [{ containerPath: '/d' }] }, 'invalid-argument', 'config.mounts[0].host_path is missing'],
    [
      { mounts: [{ ...mount, hostPath: 'h' }] },
      'invalid-argument',
      'config.mounts[0].host_path is not an absolute path: "h"',
    ],
    [
      { mounts: [{ ...mount, propagation: unknown(5) }] },
      'invalid-argument',
      'config.mounts[0].propagation has the unknown value 5',
    ],
    [
      { mounts: [{ ...mount, image: { image: 'x' } }] },
      'invalid-argument',
      'config.mounts[0]: host_path and image are both set',
    ],
    [
      { mounts: [{ ...mount, hostPath: '', image: { image: 'x' }, imageSubPath: 'a/../../b' }] },
      'invalid-argument',
      'config.mounts[0].image_sub_path is no path below an image: "a/../../b"',
    ],
    [
      { mounts: [{ ...mount, hostPath: '', image: {} }] },
      'invalid-argument',
      'config.mounts[0].image.image is missing',
    ],
    [
      { mounts: [{ ...mount, recursiveReadOnly: true }] },
      'invalid-argument',
      'config.mounts[0].recursive_read_only needs readonly',
    ],
    [
      {
        mounts: [
          {
            ...{ ...mount, readonly: true, recursiveReadOnly: true },
            propagation: runtime.v1.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
          },
        ],
      },
      'invalid-argument',
      'config.mounts[0].recursive_read_only needs PROPAGATION_PRIVATE',
    ],
    [
      { mounts: [{ ...mount, gidMappings: [{}] }] },
      'invalid-argument',
      'config.mounts[0].uidMappings must have exactly one mapping, not 0',
    ],
    [
      { metadata: { name: 'x'.repeat(1_025) } },
      'invalid-argument',
      'config.metadata.name has 1025 bytes, more than 1024',
    ],
    ...['/', '//', '/.', '/a/..', '/..'].map((path): [Config, string, string] => [
      { mounts: [{ ...mount, containerPath: path }] },
      'invalid-argument',
      `config.mounts[0].container_path is the container's root: "${path}"`,
    ]),
    ...[`/${'x'.repeat(256)}`, `/${'ä'.repeat(128)}`, '/x'.repeat(2_048)].map((path): [Config, string, string] => [
      { workingDir: path },
      'invalid-argument',
      `config.working_dir is longer than a path may be: "${path}"`,
    ]),
    [
      { linux: { securityContext: { supplementalGroups: Array.from({ length: 65_536 }, () => Long.ONE) } } },
      'invalid-argument',
      'config.linux.security_context.supplemental_groups has 65536 groups, more than 65535',
    ],
    [{ devices: [{ ...device, hostPath: '' }] }, 'invalid-argument', 'config.devices[0].host_path is missing'],
    [
      { devices: [{ ...device, containerPath: 'x' }] },
      'invalid-argument',
      'config.devices[0].container_path is not an absolute path: "x"',
    ],
    [{ CDIDevices: [{ name: 'x' }] }, 'unimplemented', 'config.CDI_devices is not served yet'],
    [
      { annotations: { 'cdi.k8s.io/vendor_dev-1': 'vendor.com/dev=1' } },
      'unimplemented',
      'config.annotations: "cdi.k8s.io/vendor_dev-1" asks for a CDI device, which is not served yet',
    ],
    [{ stopSignal: unknown(999) }, 'invalid-argument', 'config.stop_signal has the unknown value 999'],
    [
      limits({ cpuQuota: Long.fromNumber(-2) }),
      'invalid-argument',
      'linux.resources.cpu_quota is not between 1000 and 17592186044415: -2',
    ],
    [
      limits({ oomScoreAdj: Long.fromNumber(2_000) }),
      'invalid-argument',
      'linux.resources.oom_score_adj is not between -1000 and 1000',
    ],
    [
      limits({ memoryLimitInBytes: Long.fromNumber(-2) }),
      'invalid-argument',
      'linux.resources.memory_limit_in_bytes is negative',
    ],
    [
      limits({ cpuPeriod: Long.MAX_VALUE }),
      'invalid-argument',
      `linux.resources.cpu_period is out of range: ${Long.MAX_VALUE.toString()}`,
    ],
  ])('refuses %j', (config, code, message) => {
    expect(thrown(() => convert(config))).toMatchObject({ code, message });
  });

  it.each(['9223372036854771712', '9223372036854775807', '-1'])('takes %s for no limit of memory', (text) => {
    const bytes = Long.fromString(text);
    const { resources } = convert(limits({ memoryLimitInBytes: bytes, memorySwapLimitInBytes: bytes }));
    expect(resources).toMatchObject({ memoryLimit: -1, memorySwapLimit: -1 });
  });

  it('takes a sub-path of an image for nothing where there is no image', () => {
    const { mounts } = convert({ mounts: [{ ...mount, imageSubPath: 'x/../../y' }] });
    expect(mounts[0]).toMatchObject({ hostPath: mount.hostPath, containerPath: mount.containerPath });
    expect(mounts[0]).not.toHaveProperty('image');
  });

  it('refuses no configuration at all', () => {
    expect(thrown(() => toContainerConfig(null))).toMatchObject({
      code: 'invalid-argument',
      message: 'config is missing',
    });
  });
});
