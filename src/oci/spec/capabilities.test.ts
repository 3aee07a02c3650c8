import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { ociCapabilities, ownCapabilities } from './capabilities.js';

const EVERY = new Set([
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['NET_BIND_SERVICE', 'NET_ADMIN', 'NET_RAW', 'SYS_CHROOT', 'SYS_ADMIN', 'SYS_TIME', 'MKNOD', 'AUDIT_WRITE'],
  ...['SETFCAP', 'BPF'],
].map((name) => `CAP_${name}`)); // prettier-ignore
const DEFAULT = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['NET_RAW', 'SYS_CHROOT', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP'],
]; // prettier-ignore

/** What is given, without the prefix. */
function given(add: string[], drop: string[], privileged = false): string[] {
  const { bounding, effective, permitted } = ociCapabilities({ add, drop, privileged }, EVERY);
  expect([effective, permitted]).toEqual([bounding, bounding]);
  return bounding.map((name) => name.replace('CAP_', ''));
}

const without = (...names: string[]): string[] => DEFAULT.filter((name) => !names.includes(name));

describe('ociCapabilities', () => {
  it.each([
    ['nothing asked', [], [], DEFAULT],
    ['one more', ['SYS_TIME'], [], [...without(), 'SYS_TIME']],
    [
      'with the prefix, in any case',
      ['cap_sys_time'],
      ['Cap_Kill', 'chown'],
      [...without('KILL', 'CHOWN'), 'SYS_TIME'],
    ],
    ['all dropped', [], ['ALL'], []],
    ['all dropped but one', ['NET_RAW'], ['all'], ['NET_RAW']],
    ['all added', ['ALL'], [], [...EVERY].map((name) => name.replace('CAP_', ''))],
    [
      'all added but one',
      ['ALL'],
      ['SYS_ADMIN'],
      [...EVERY].map((n) => n.replace('CAP_', '')).filter((n) => n !== 'SYS_ADMIN'),
    ],
    ['the same added and dropped', ['SYS_TIME'], ['SYS_TIME'], DEFAULT],
    ['all added and all dropped', ['ALL'], ['ALL'], []],
    ['all dropped, then one both', ['SYS_TIME'], ['ALL', 'SYS_TIME'], []],
    ['one that the daemon has not', ['SYS_BOOT'], [], DEFAULT],
  ])('%s', (_, add, drop, expected) => {
    expect(given(add, drop).sort()).toEqual([...expected].sort());
  });

  it('passes on to a plain user’s program what is ambient, and nothing else', () => {
    const ask = (addAmbient: string[], drop: string[] = []) => {
      const { bounding, ambient, inheritable } = ociCapabilities(
        { privileged: false, add: [], drop, addAmbient },
        EVERY,
      );
      expect(inheritable).toEqual(ambient);
      return { count: bounding.length, ambient };
    };
    expect(ask([])).toEqual({ count: DEFAULT.length, ambient: undefined });
    expect(ask(['net_raw', 'CAP_SYS_TIME'])).toEqual({
      ...{ count: DEFAULT.length + 1, ambient: ['CAP_NET_RAW', 'CAP_SYS_TIME'] },
    });
    expect(ask(['NET_RAW', 'CHOWN'], ['CHOWN'])).toEqual({ count: DEFAULT.length - 1, ambient: ['CAP_NET_RAW'] });
    expect(ask(['ALL'])).toEqual({ count: EVERY.size, ambient: ociCapabilities({ privileged: true, add: [], drop: [] }, EVERY).bounding }); // prettier-ignore
    expect(thrown(() => ask(['NOPE']))).toMatchObject({ code: 'invalid-argument' });
  });

  it('gives a privileged container all that there is', () => {
    expect(given([], ['ALL'], true)).toHaveLength(EVERY.size);
  });

  it.each([
    [['NET_ADMINS'], []],
    [[], ['']],
    [['CAP_'], []],
    [[], ['CAP_CAP_KILL']],
  ])('refuses add %p, drop %p', (add, drop) => {
    const [name] = [...add, ...drop];
    expect(thrown(() => given(add, drop))).toMatchObject({
      code: 'invalid-argument',
      message: `unknown capability "${name}"`,
    });
  });
});

it('knows what this process has', () => {
  expect(ownCapabilities().has('CAP_CHOWN')).toBe(true);
  const usual = ociCapabilities({ privileged: true, add: [], drop: [] });
  expect(new Set(usual.bounding)).toEqual(ownCapabilities());
});
