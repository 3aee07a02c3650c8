import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { mknodSync } from '../../base/sys/calls.js';
import { hangingDirectory, rejection, useScratch } from '../../base/testing.js';
import { checkAccountFiles, homeOf } from './account-files.js';
import { ContainerView } from './container-view.js';
import { containerMounts, type ContainerMount } from './mounts.js';

const scratch = useScratch('accounts');
const FILES = { resolvConf: '/s/resolv.conf', hostname: '/s/hostname', hosts: '/s/hosts', shm: '/s/shm' };
const image = (path: string): string => scratch.path('rootfs', path);
const volume = (path: string): string => scratch.path('volume', path);
const fifo = (path: string): void => mknodSync(path, 0o010644, { major: 0, minor: 0 });

function view(...mounts: readonly (readonly [containerPath: string, hostPath: string])[]): ContainerView {
  const own = mounts.map(([containerPath, hostPath]): ContainerMount => ({
    containerPath,
    hostPath,
    readonly: false,
    propagation: 'private',
  }));
  return new ContainerView(
    scratch.path('rootfs'),
    containerMounts({ files: FILES, own, privileged: false, readonlyRoot: false }),
  );
}

beforeEach(() => {
  for (const dir of [image('etc'), image('data'), volume('')]) mkdirSync(dir, { recursive: true });
  writeFileSync(image('etc/passwd'), 'root:x:0:0::/root:\napp:x:7:7::/home/app:\nnone:x:8:8:::\n');
  writeFileSync(volume('passwd'), 'root:x:0:0::/volume:\n');
});

async function refused(own: ContainerView): Promise<string> {
  const error = await rejection(checkAccountFiles(own));
  expect(error.code).toBe('unstartable');
  return error.message;
}

describe('the account files that a runtime opens', () => {
  it.each<[string, () => unknown, string]>([
    ['a fifo', () => fifo(image('etc/passwd')), "the container's /etc/passwd is no regular file"],
    ['a device', () => mknodSync(image('etc/passwd'), 0o020666, { major: 1, minor: 5 }), 'is no regular file'],
    ['a directory', () => mkdirSync(image('etc/passwd')), 'is no regular file'],
    [
      'a link to a fifo',
      () => {
        symlinkSync('../x', image('etc/passwd'));
        fifo(image('x'));
      },
      'a link to /x, is no',
    ],
    ['a link to the kernel’s log', () => symlinkSync('/proc/kmsg', image('etc/passwd')), 'a link to /proc/kmsg, is no'],
    ['a link to input', () => symlinkSync('../dev/../dev/stdin', image('etc/passwd')), 'a link to /dev/stdin, is no'],
    [
      'much',
      () => {
        writeFileSync(image('etc/passwd'), '');
        truncateSync(image('etc/passwd'), 2 ** 40);
      },
      'more than',
    ],
  ])('are refused: %s', async (_, make, message) => {
    rmSync(image('etc/passwd'));
    make();
    expect(await refused(view())).toContain(message);
  });

  it('are refused by the name of the group file, too', async () => {
    fifo(image('etc/group'));
    expect(await refused(view())).toContain("the container's /etc/group is no regular file");
  });

  it.each<[string, () => unknown, readonly [string, string]]>([
    ['over the file', () => fifo(volume('x')), ['/etc/passwd', 'x']],
    [
      'over its directory',
      () => {
        rmSync(volume('passwd'));
        fifo(volume('passwd'));
      },
      ['/etc', ''],
    ],
    [
      'through a link of the image',
      () => {
        symlinkSync('etc', image('e'));
        fifo(volume('x'));
      },
      ['/e/passwd', 'x'],
    ],
    ['behind a link in a volume', () => { rmSync(image('etc/passwd')); symlinkSync('/v/l', image('etc/passwd')); symlinkSync('f', volume('l')); fifo(volume('f')); }, ['/v', '']], // prettier-ignore
    [
      'through a link of the host',
      () => {
        symlinkSync('f', volume('l'));
        fifo(volume('f'));
      },
      ['/etc/passwd', 'l'],
    ],
  ])('are refused where a mount puts a fifo %s', async (_, make, [at, source]) => {
    make();
    expect(await refused(view([at, volume(source)]))).toContain('is no regular file');
  });

  it('are refused where one mount leads another there', async () => {
    symlinkSync('/etc', volume('link'));
    fifo(scratch.path('fifo'));
    expect(await refused(view(['/data', volume('')], ['/data/link/passwd', scratch.path('fifo')]))).toContain('passwd');
  });

  it.each<[string, () => unknown, readonly [string, string] | undefined]>([
    ['absent', () => rmSync(image('etc/passwd')), undefined],
    [
      'links to nothing',
      () => {
        rmSync(image('etc/passwd'));
        symlinkSync('none', image('etc/passwd'));
      },
      undefined,
    ],
    [
      'links in a circle',
      () => {
        rmSync(image('etc/passwd'));
        symlinkSync('passwd', image('etc/passwd'));
      },
      undefined,
    ],
    [
      'not in a directory',
      () => {
        rmSync(image('etc'), { recursive: true });
        writeFileSync(image('etc'), '');
      },
      undefined,
    ],
    ['hidden by a mounted file', () => { rmSync(image('etc/passwd')); fifo(image('etc/passwd')); }, ['/etc/passwd', 'passwd']], // prettier-ignore
    ['whole, with a fifo elsewhere', () => fifo(volume('fifo')), ['/data/passwd', 'fifo']],
  ])('are fine: %s', async (_, make, mount) => {
    make();
    await checkAccountFiles(mount === undefined ? view() : view([mount[0], volume(mount[1])]));
  });

  it('are asked for by a child where they may hang', async () => {
    const path = await hangingDirectory(scratch);
    const error = await rejection(checkAccountFiles(view(['/etc', path])));
    expect(error.code).toBe('deadline-exceeded');
  }, 30_000);
});

describe('a user’s home', () => {
  it.each([
    [0, '/root'],
    [7, '/home/app'],
    [8, '/'],
    [9, '/'],
  ])('of uid %i is %s', async (uid, home) => {
    expect(await homeOf(view(), scratch.path('rootfs'), uid)).toBe(home);
  });

  it('is what the container itself will see', async () => {
    chmodSync(volume('passwd'), 0o600);
    expect(await homeOf(view(['/etc/passwd', volume('passwd')]), scratch.path('rootfs'), 0)).toBe('/volume');
    rmSync(image('etc/passwd'));
    symlinkSync('/data/passwd', image('etc/passwd'));
    expect(await homeOf(view(['/data', volume('')]), scratch.path('rootfs'), 0)).toBe('/volume');
    expect(await homeOf(view(), scratch.path('rootfs'), 0)).toBe('/');
  });
});
