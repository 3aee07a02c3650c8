import { mkdir, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { mknodSync } from '../../base/sys/calls.js';
import { thrown, useScratch } from '../../base/testing.js';
import { planDevices } from './devices.js';

const scratch = useScratch('devices');
const ask = (hostPath: string, containerPath = '/dev/x', permissions = 'rw') => ({
  hostPath,
  containerPath,
  permissions,
});
const nothing = { allow: false, access: 'rwm' };

describe('planDevices', () => {
  it('forbids all where nothing is asked', () => {
    expect(planDevices([], false)).toEqual({ devices: [], rules: [nothing] });
  });

  it('gives what is asked under its name in the container, with the rights asked', () => {
    const plan = planDevices([ask('/dev/null', '/dev/empty', 'r'), ask('/dev/zero', '/dev/zero', '')], false);
    expect(plan.devices).toEqual([
      { path: '/dev/empty', type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: expect.any(Number) },
      { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: expect.any(Number) },
    ]);
    expect(plan.rules).toEqual([
      nothing,
      { allow: true, type: 'c', major: 1, minor: 3, access: 'r' },
      { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
    ]);
  });

  it('reads any number, of block devices too', () => {
    mknodSync(scratch.path('block'), 0o060640, { major: 259, minor: 70_000 });
    const { devices } = planDevices([ask(scratch.path('block'))], false);
    expect(devices).toMatchObject([{ path: '/dev/x', type: 'b', major: 259, minor: 70_000, fileMode: 0o640 }]);
  });

  it('follows a link, and takes a folder for all that is in it', async () => {
    await mkdir(scratch.path('snd', 'by-id'), { recursive: true });
    mknodSync(scratch.path('snd', 'pcm'), 0o020660, { major: 116, minor: 2 });
    mknodSync(scratch.path('snd', 'by-id', 'usb'), 0o020660, { major: 116, minor: 3 });
    await writeFile(scratch.path('snd', 'README'), '');
    await symlink('pcm', scratch.path('snd', 'default'));
    await symlink('snd/pcm', scratch.path('sound'));
    expect(planDevices([ask(scratch.path('sound'))], false).devices).toMatchObject([{ path: '/dev/x', minor: 2 }]);
    const plan = planDevices([ask(scratch.path('snd'), '/dev/snd', 'r')], false);
    const byPath = Object.fromEntries(plan.devices.map((device) => [device.path, device.minor]));
    expect(byPath).toEqual({ '/dev/snd/pcm': 2, '/dev/snd/by-id/usb': 3 });
    expect(plan.rules).toHaveLength(3);
  });

  it('gives a privileged container the host’s, with its own in their place', () => {
    const { devices, rules } = planDevices([ask('/dev/zero', '/dev/null')], true);
    expect(rules).toEqual([{ allow: true, access: 'rwm' }]);
    expect(devices.length).toBeGreaterThan(3);
    expect(devices.filter(({ path }) => path === '/dev/null')).toMatchObject([{ minor: 5 }]);
    expect(devices.some(({ path }) => /^\/dev\/(pts|shm|mqueue|ptmx|console)/.test(path))).toBe(false);
  });

  it.each([
    ['/no/such/device', '/no/such/device is no device'],
    ['/etc/passwd', '/etc/passwd is no device'],
    ['/etc/passwd/x', '/etc/passwd/x is no device'],
    ['/usr/lib/cni', '/usr/lib/cni is no device'],
  ])('refuses %s', (path, message) => {
    expect(thrown(() => planDevices([ask(path)], false))).toMatchObject({ code: 'invalid-argument', message });
  });

  it.each(['x', 'rwmr', 'RW', 'r w'])('refuses the permissions "%s"', (permissions) => {
    const error = thrown(() => planDevices([ask('/dev/null', '/dev/x', permissions)], false));
    expect(error).toMatchObject({
      code: 'invalid-argument',
      message: `device /dev/null: bad permissions "${permissions}"`,
    });
  });
});
