import { describe, expect, it } from '@jest/globals';

import { thrown, useScratch } from '../../base/testing.js';
import { isCgroupV2 } from '../../oci/cgroup.js';
import type { AnnotationRules } from '../../oci/spec/annotations.js';
import { ociCapabilities } from '../../oci/spec/capabilities.js';
import { containerMounts } from '../../oci/spec/mounts.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { ownRuntime } from '../../oci/testing.js';
import { podConfig } from '../../sandbox/testing.js';
import type { SandboxConfig } from '../../sandbox/types.js';
import type { ContainerImage } from './context.js';
import { containerSpec, type SpecInput } from './spec.js';
import { containerConfig, IMAGE, SECURITY } from './testing.js';
import type { ContainerConfig, SecurityConfig } from './types.js';

const scratch = useScratch('spec');

interface Wish {
  readonly config?: Partial<ContainerConfig>;
  readonly security?: Partial<SecurityConfig>;
  readonly image?: Partial<ContainerImage['config']>;
  readonly sandbox?: Partial<SandboxConfig>;
  readonly target?: SpecInput['target'];
  readonly confinement?: Partial<SpecInput['confinement']>;
  readonly labels?: SpecInput['labels'];
}

function spec(
  { config = {}, security = {}, image = {}, sandbox = {}, target, confinement, labels }: Wish = {},
  annotations?: AnnotationRules,
) {
  const own = containerConfig({ security: { ...SECURITY, ...security }, ...config });
  const pod = podConfig(sandbox);
  const ownNetwork = pod.namespaces.network === 'pod';
  return containerSpec({
    record: {
      ...{ id: 'cid', name: 'n', sandboxId: 'sid', requestDigest: '', createdAt: '1', handler: 'test', imageId: 'i' },
      ...{ imageRef: 'r', logPath: '', stopSignal: 'SIGTERM' },
      config: own,
    },
    sandbox: {
      ...{
        id: 'sid0123456789',
        config: pod,
        requestDigest: '',
        createdAt: '1',
        handler: 'test',
        cgroupParent: '/pods/p',
      },
      ...(ownNetwork ? { netnsPath: '/run/netns/cni-1' } : {}),
    },
    pause: { pid: 77, startTime: '1' },
    ...(target === undefined ? {} : { target }),
    image: { ...IMAGE, config: { ...IMAGE.config, ...image } },
    user: { uid: 5, gid: 6 },
    home: '/home/five',
    confinement: { capabilities: ociCapabilities({ privileged: false, add: [], drop: [] }), ...confinement },
    labels,
    own: own.mounts,
    mounts: containerMounts({
      files: { resolvConf: '/s/resolv.conf', hostname: '/s/hostname', hosts: '/s/hosts', shm: '/s/shm' },
      own: own.mounts,
      privileged: own.security.privileged,
      readonlyRoot: own.security.readonlyRootfs,
    }),
    rootfs: '/bundle/rootfs',
    runtime: ownRuntime(scratch, annotations === undefined ? {} : { annotations }),
  });
}

describe('the command line', () => {
  it.each<[string[], string[], { command: string[]; args: string[] }, string[]]>([
    [['/e'], ['a'], { command: [], args: [] }, ['/e', 'a']],
    [['/e'], ['a'], { command: [], args: ['b', 'c'] }, ['/e', 'b', 'c']],
    [['/e'], ['a'], { command: ['/c'], args: [] }, ['/c']],
    [['/e'], ['a'], { command: ['/c', 'x'], args: ['b'] }, ['/c', 'x', 'b']],
    [[], ['/sh'], { command: [], args: [] }, ['/sh']],
    [[], ['/sh'], { command: [], args: ['b'] }, ['b']],
    [[], [], { command: ['/c'], args: [] }, ['/c']],
    [['/e'], [], { command: [], args: [] }, ['/e']],
  ])('of image %p %p and request %p is %p', (entrypoint, cmd, config, expected) => {
    expect(spec({ image: { entrypoint, cmd }, config }).process.args).toEqual(expected);
  });

  it('is refused where there is none', () => {
    const wish = { image: { entrypoint: [], cmd: [] }, config: { metadata: { name: 'app', attempt: 0 } } };
    expect(thrown(() => spec(wish))).toMatchObject({
      code: 'unstartable',
      message: `container "app": no command, and image ${IMAGE.id} has none`,
    });
  });
});

describe('SELinux labels', () => {
  const labels = { process: 'u:r:container_t:s0:c1,c2', mount: 'u:r:container_file_t:s0:c1,c2' };
  const labelsOf = (wish: Wish): (string | undefined)[] => {
    const { process, linux } = spec(wish);
    return [process.selinuxLabel, linux.mountLabel];
  };

  it('are of the process and of what the runtime mounts', () => {
    expect(labelsOf({})).toEqual([undefined, undefined]);
    expect(labelsOf({ labels })).toEqual([labels.process, labels.mount]);
  });

  it('are none of a privileged process, nor of one that sees the node’s', () => {
    expect(labelsOf({ labels, security: { privileged: true } })).toEqual([undefined, labels.mount]);
    expect(labelsOf({ labels, security: { pid: 'node' } })).toEqual([undefined, labels.mount]);
    const typed = { pid: 'node', selinux: { user: '', role: '', type: 'spc_t', level: '' } } as const;
    expect(labelsOf({ labels, security: typed })).toEqual([labels.process, labels.mount]);
  });
});

describe('the annotations', () => {
  const wish = {
    config: { annotations: { 'run.oci.handler': 'wasm', 'plugin/device': '1' } },
    sandbox: { annotations: { 'io.kubernetes.cri.sandbox-id': 'forged', 'kata/x': '1' } },
  };

  it('of requests reach the runtime only where its handler permits them', () => {
    const names = (annotations?: AnnotationRules): string[] =>
      Object.keys(spec(wish, annotations).annotations).filter((name) => !name.startsWith('io.kubernetes.cri.'));
    expect(names()).toEqual([]);
    expect(names({ pod: ['kata/*'], container: ['plugin/*'] })).toEqual(['kata/x', 'plugin/device']);
  });

  it('tell whose container it is, and nobody can say otherwise', () => {
    const { annotations } = spec(wish, { pod: ['*'], container: ['*'] });
    expect(annotations).toMatchObject({
      'io.kubernetes.cri.container-type': 'container',
      'io.kubernetes.cri.sandbox-id': 'sid0123456789',
    });
  });
});

describe('the environment', () => {
  const env = (wish: Wish): Record<string, string> =>
    Object.fromEntries<string>(
      spec(wish).process.env.map((entry) => [entry.split('=')[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
    );

  it('is the image’s under the request’s, each name once', () => {
    const image = { env: ['PATH=/image', 'A=image', 'B=image', 'A=later'] };
    const config = {
      env: [
        { key: 'B', value: 'request' },
        { key: 'C', value: 'x=y' },
        { key: 'B', value: 'last' },
        { key: 'EMPTY', value: '' },
      ],
    };
    const found = spec({ image, config }).process.env;
    expect(new Set(found).size).toBe(found.length);
    expect(env({ image, config })).toEqual({
      ...{ PATH: '/image', HOSTNAME: 'web-0', HOME: '/home/five', A: 'later', B: 'last', C: 'x=y', EMPTY: '' },
    });
  });

  it('has a path, a terminal’s kind and a hostname of its own', () => {
    expect(env({ image: { env: [] } })['PATH']).toContain('/usr/sbin:/usr/bin');
    expect(env({ image: { env: [] } })['HOME']).toBe('/home/five');
    expect(env({ image: { env: ['HOME=/image'] } })['HOME']).toBe('/image');
    // Runtimes take an empty one for none.
    expect(env({ config: { env: [{ key: 'HOME', value: '' }] } })['HOME']).toBe('/home/five');
    expect(env({ config: { tty: true } })['TERM']).toBe('xterm');
    expect(env({})['TERM']).toBeUndefined();
    expect(env({ image: { env: ['TERM=vt'] }, config: { tty: true } })['TERM']).toBe('vt');
  });
});

describe('the namespaces', () => {
  const namespaces = (wish: Wish): string[] =>
    spec(wish)
      .linux.namespaces.filter(({ type }) => type !== 'cgroup')
      .map(({ type, path = 'new' }) => `${type} ${path}`)
      .sort();
  const own = (network: 'pod' | 'node', ipc: 'pod' | 'node') => ({ namespaces: { network, pid: 'pod', ipc } as const });

  it.each<[string, Wish, string[]]>([
    [
      'of a pod',
      { sandbox: own('pod', 'pod') },
      ['ipc /proc/77/ns/ipc', 'network /run/netns/cni-1', 'uts /proc/77/ns/uts', 'pid new'],
    ],
    ['on the node’s network', { sandbox: own('node', 'pod') }, ['ipc /proc/77/ns/ipc', 'pid new']],
    ['with the node’s IPC', { sandbox: own('node', 'node') }, ['pid new']],
    ['with the pod’s processes', { sandbox: own('node', 'node'), security: { pid: 'pod' } }, ['pid /proc/77/ns/pid']],
    ['with the node’s processes', { sandbox: own('node', 'node'), security: { pid: 'node' } }, []],
    [
      'with another’s processes',
      { sandbox: own('node', 'node'), security: { pid: 'target' }, target: { pid: 88, startTime: '1' } },
      ['pid /proc/88/ns/pid'],
    ],
  ])('are those %s', (_, wish, expected) => {
    expect(namespaces(wish)).toEqual(['mount new', ...expected].sort());
  });

  it('have a cgroup namespace on v2 alone, and not for the privileged', () => {
    const has = (privileged: boolean) =>
      spec({ security: { privileged } }).linux.namespaces.some((n) => n.type === 'cgroup');
    expect([has(false), has(true)]).toEqual([isCgroupV2(), false]);
  });
});

describe('the rest', () => {
  it('is confined by default', () => {
    const { process, linux, root } = spec();
    expect(process).toMatchObject({ terminal: false, user: { uid: 5, gid: 6 }, cwd: '/', noNewPrivileges: false });
    expect(process.capabilities.bounding).not.toContain('CAP_SYS_ADMIN');
    expect(linux.cgroupsPath).toBe('/pods/p/cid');
    expect(linux.maskedPaths).toContain('/proc/kcore');
    expect(linux.readonlyPaths).toContain('/proc/sys');
    expect(linux.resources.devices).toEqual([{ allow: false, access: 'rwm' }]);
    expect(linux.rootfsPropagation).toBe('rprivate');
    expect(root).toEqual({ path: '/bundle/rootfs', readonly: false });
  });

  it('is what the request says', () => {
    const { process, linux, root } = spec({
      config: { resources: { ...NO_LIMITS, memoryLimit: 5, oomScoreAdj: 900 }, tty: true, annotations: { a: 'b' } },
      security: {
        noNewPrivileges: true,
        readonlyRootfs: true,
        maskedPaths: ['/m'],
        readonlyPaths: ['/r'],
        addCapabilities: ['KILL'],
      },
    });
    expect(process).toMatchObject({ terminal: true, noNewPrivileges: true, oomScoreAdj: 900 });
    expect(linux).toMatchObject({ maskedPaths: ['/m'], readonlyPaths: ['/r'], resources: { memory: { limit: 5 } } });
    expect(root.readonly).toBe(true);
  });

  it('masks nothing where nothing is to be masked', () => {
    const { linux } = spec({ security: { maskedPaths: [], readonlyPaths: [] } });
    expect([linux.maskedPaths, linux.readonlyPaths]).toEqual([[], []]);
  });

  it('has the filter that was found', () => {
    const seccomp = { defaultAction: 'SCMP_ACT_LOG', syscalls: [] };
    expect(spec({ confinement: { seccomp } }).linux.seccomp).toEqual(seccomp);
    expect(spec().linux).not.toHaveProperty('seccomp');
  });

  it('hides nothing from the privileged', () => {
    const { linux } = spec({ security: { privileged: true, maskedPaths: ['/m'] } });
    expect([linux.maskedPaths, linux.readonlyPaths]).toEqual([[], []]);
    expect(linux.resources.devices).toEqual([{ allow: true, access: 'rwm' }]);
    expect(linux.devices.length).toBeGreaterThan(0);
  });

  it.each([
    ['', '', '/'],
    ['', '/image', '/image'],
    ['', 'app', '/app'],
    ['/request', '/image', '/request'],
  ])('works in "%s" over the image’s "%s": %s', (workingDir, ofImage, cwd) => {
    expect(spec({ config: { workingDir }, image: { workingDir: ofImage } }).process.cwd).toBe(cwd);
  });
});
