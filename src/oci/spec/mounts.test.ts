import { describe, expect, it } from '@jest/globals';

import { containerMounts, rootfsPropagation, type ContainerMount } from './mounts.js';

const files = { resolvConf: '/s/resolv.conf', hostname: '/s/hostname', hosts: '/s/hosts', shm: '/s/shm' };

function mounts(own: readonly ContainerMount[] = [], privileged = false, readonlyRoot = false) {
  return containerMounts({ files, own, privileged, readonlyRoot });
}

const own = (containerPath: string, more: Partial<ContainerMount> = {}): ContainerMount => ({
  ...{ containerPath, hostPath: '/host', readonly: false, propagation: 'private' },
  ...more,
});

const destinations = (list: ReturnType<typeof mounts>): string[] => list.map(({ destination }) => destination);

describe('containerMounts', () => {
  it('has the kernel’s file systems and the sandbox’s files', () => {
    const kernel = ['/proc', '/dev', '/dev/pts', '/dev/mqueue', '/sys', '/sys/fs/cgroup'];
    expect(destinations(mounts())).toEqual([...kernel, '/etc/resolv.conf', '/etc/hostname', '/etc/hosts', '/dev/shm']);
  });

  it('lets only a privileged container write to /sys', () => {
    for (const destination of ['/sys', '/sys/fs/cgroup']) {
      const options = (privileged: boolean) =>
        mounts([], privileged).find((m) => m.destination === destination)?.options;
      expect([options(false)?.at(-1), options(true)?.at(-1)]).toEqual(['ro', 'rw']);
    }
  });

  const range = { containerId: 0, hostId: 1_000_000, length: 6 };
  const inUserns = (gid: number, network: 'pod' | 'node' = 'pod') =>
    containerMounts({
      ...{ files, own: [], privileged: false, readonlyRoot: false, network },
      userns: { uid: range, gid: { ...range, length: gid } },
    });

  it('gives terminals to the group of terminals, where the user namespace has it', () => {
    const options = (list: ReturnType<typeof mounts>) => list.find((m) => m.destination === '/dev/pts')?.options;
    expect(options(mounts())).toContain('gid=5');
    expect(options(inUserns(6))).toContain('gid=5');
    expect(options(inUserns(5))?.filter((option) => option.startsWith('gid='))).toEqual([]);
  });

  it('shows the node’s /sys where the user namespace has no say in the network', () => {
    const sys = (list: ReturnType<typeof mounts>) => list.find((m) => m.destination === '/sys');
    expect(sys(inUserns(6))).toMatchObject({ type: 'sysfs' });
    const own = { files, own: [], readonlyRoot: false, network: 'node' } as const;
    expect(sys(containerMounts({ ...own, privileged: true }))).toMatchObject({ type: 'sysfs' });
    const bound = { type: 'bind', source: '/sys', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rro'] };
    expect(sys(inUserns(6, 'node'))).toMatchObject(bound);
    const userns = { uid: range, gid: range };
    expect(sys(containerMounts({ ...own, privileged: true, userns }))).toMatchObject(bound);
  });

  it('makes the sandbox’s files read-only with the root, but not /dev/shm', () => {
    const bound = mounts([], false, true).filter(({ type }) => type === 'bind');
    expect(bound.map(({ destination, source, options }) => [destination, source, options.at(-1)])).toEqual([
      ['/etc/resolv.conf', '/s/resolv.conf', 'ro'],
      ['/etc/hostname', '/s/hostname', 'ro'],
      ['/etc/hosts', '/s/hosts', 'ro'],
      ['/dev/shm', '/s/shm', 'rw'],
    ]);
  });

  it.each([
    ['private', false, ['rbind', 'rprivate', 'rw']],
    ['host-to-container', true, ['rbind', 'rslave', 'ro']],
    ['bidirectional', false, ['rbind', 'rshared', 'rw']],
  ] as const)('binds one that is %s, read-only: %p', (propagation, readonly, options) => {
    expect(mounts([own('/data', { propagation, readonly })])).toContainEqual({
      ...{ destination: '/data', type: 'bind', source: '/host', options },
    });
  });

  it('makes mounts below it read-only where that is asked for', () => {
    const access = (more: Partial<ContainerMount>) =>
      mounts([own('/data', more)]).find(({ source }) => source === '/host')?.options[2];
    expect(access({ readonly: true, recursiveReadOnly: true })).toBe('rro');
    expect(access({ readonly: true, recursiveReadOnly: false })).toBe('ro');
    expect(access({ recursiveReadOnly: true })).toBe('rw');
  });

  it.each(['/etc/hosts', '/etc//hosts', '/etc/hosts/', '/etc/./hosts', '/etc/x/../hosts', '/dev/shm', '/proc'])(
    'lets an own mount at %s take the place of the usual one',
    (path) => {
      const list = mounts([own(path)]);
      expect(list).toHaveLength(10);
      expect(list.filter(({ source }) => source === '/host').map(({ destination }) => destination)).toEqual([path]);
    },
  );

  it('puts parents before children, so that none hides another', () => {
    const asked = ['/a/b/c', '/etc', '/a', '/a/b', '/etc/app'].map((path) => own(path));
    const order = destinations(mounts(asked));
    const before = (parent: string, child: string): void =>
      expect(order.indexOf(parent)).toBeLessThan(order.indexOf(child));
    before('/a', '/a/b');
    before('/a/b', '/a/b/c');
    before('/etc', '/etc/resolv.conf');
    before('/etc', '/etc/app');
  });

  it('has nothing of its own below a /dev of the host but the pod’s shm', () => {
    const order = destinations(mounts([own('/dev', { hostPath: '/dev' })], true));
    expect(order.filter((path) => path.startsWith('/dev'))).toEqual(['/dev', '/dev/shm']);
    expect(destinations(mounts([own('/sys')])).filter((path) => path.startsWith('/sys'))).toEqual(['/sys']);
    expect(destinations(mounts([own('/devices')]))).toContain('/dev/pts');
  });
});

describe('rootfsPropagation', () => {
  it.each([
    [[], 'rprivate'],
    [['private'], 'rprivate'],
    [['private', 'host-to-container'], 'rslave'],
    [['host-to-container', 'bidirectional'], 'rshared'],
  ] as const)('for mounts that are %p is %s', (propagations, expected) => {
    expect(rootfsPropagation(propagations.map((propagation) => own('/x', { propagation })))).toBe(expected);
  });
});
