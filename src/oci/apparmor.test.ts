import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { silentLogger } from '../base/log.js';
import { runOk } from '../base/spawn.js';
import { rejection, useScratch } from '../base/testing.js';
import { defaultProfile } from './apparmor-profile.js';
import { AppArmor, type AppArmorPlaces } from './apparmor.js';

const scratch = useScratch('apparmor');
const LOCAL = { type: 'localhost', ref: 'mine' } as const;
const STANDARD = { type: 'runtime-default' } as const;

/** What a kernel with AppArmor shows; the parser notes what it is given, as the kernel would. */
async function node(loaded: string, parser = 'true'): Promise<AppArmorPlaces> {
  const profiles = scratch.path('profiles');
  await writeFile(scratch.path('enabled'), 'Y\n');
  await writeFile(profiles, loaded);
  const program = await scratch.script('parser', `cat > ${scratch.path('text')}; echo "$@" >> ${scratch.path('calls')}; ${parser}`); // prettier-ignore
  return { enabled: scratch.path('enabled'), profiles, parser: program };
}

const calls = (): string => readFileSync(scratch.path('calls'), 'utf8');

describe('a node without AppArmor', () => {
  it('gives none, unless one is asked for', async () => {
    await writeFile(scratch.path('enabled'), 'N\n');
    const places = { ...(await node('')), enabled: scratch.path('none') };
    const own = await AppArmor.open(silentLogger(), places);
    expect(await own.profileFor(undefined, false)).toBeUndefined();
    expect(await own.profileFor({ type: 'unconfined' }, false)).toBeUndefined();
    expect(await own.profileFor(STANDARD, true)).toBeUndefined();
    for (const [profile, name] of [[LOCAL, 'mine'] as const, [STANDARD, 'gantry-default'] as const]) {
      expect(await rejection(own.profileFor(profile, false))).toMatchObject({
        code: 'failed-precondition',
        message: `AppArmor profile "${name}" is asked for, and this kernel has no AppArmor`,
      });
    }
    expect(own.describe()).toEqual({ available: false, runtimeDefault: 'the kernel has no AppArmor' });
  });
});

describe('a node with AppArmor', () => {
  it('has the default loaded at start, and again where somebody removed it', async () => {
    const places = await node('mine (enforce)\ngantry-default (enforce)\n');
    const own = await AppArmor.open(silentLogger(), places);
    expect([await own.profileFor(undefined, false), await own.profileFor(STANDARD, false)]).toEqual([
      'gantry-default',
      'gantry-default',
    ]);
    expect(calls()).toBe('-K -r\n');
    await writeFile(places.profiles, 'gantry-default-2 (enforce)\n');
    await Promise.all([own.profileFor(STANDARD, false), own.profileFor(STANDARD, false)]);
    expect(calls()).toBe('-K -r\n-K -r\n');
    expect(readFileSync(scratch.path('text'), 'utf8')).toContain('profile gantry-default ');
    expect(own.describe()).toEqual({ available: true, runtimeDefault: 'gantry-default' });
  });

  it('leaves the privileged alone, but for a profile that they name', async () => {
    const own = await AppArmor.open(silentLogger(), await node('mine (complain)\n'));
    expect([await own.profileFor(undefined, true), await own.profileFor(STANDARD, true)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(await own.profileFor(LOCAL, true)).toBe('mine');
  });

  it('names the profile that is not loaded', async () => {
    const own = await AppArmor.open(silentLogger(), await node('min (enforce)\nmine2 (enforce)\n'));
    expect(await rejection(own.profileFor(LOCAL, false))).toMatchObject({
      ...{ code: 'failed-precondition', message: 'AppArmor profile "mine" is not loaded' },
    });
  });

  it('says why the default cannot be had', async () => {
    const own = await AppArmor.open(silentLogger(), await node('', 'echo "no such rule" >&2; exit 1'));
    expect(own.describe().runtimeDefault).toContain('no such rule');
    expect((await rejection(own.profileFor(STANDARD, false))).code).toBe('failed-precondition');
    const without = await AppArmor.open(silentLogger(), { ...(await node('')), parser: scratch.path('none') });
    expect(await without.profileFor(undefined, false)).toBeUndefined();
    expect((await rejection(without.profileFor(STANDARD, false))).code).toBe('failed-precondition');
  });
});

describe('the default profile', () => {
  it('takes signals of the daemon, whatever that is confined by', () => {
    expect(defaultProfile('/usr/bin/gantryd')).toContain('signal (receive) peer="/usr/bin/gantryd",');
    expect(defaultProfile('unconfined').match(/peer="unconfined"/g)).toHaveLength(1);
  });

  const parser = '/sbin/apparmor_parser';
  const test = existsSync(parser) ? it : it.skip;
  test(`is one that ${parser} compiles (skipped where that is not installed)`, async () => {
    const { stdout } = await runOk(parser, ['-S', '-K'], { stdin: defaultProfile('unconfined'), timeoutMs: 60_000 });
    expect(stdout.length).toBeGreaterThan(1_000);
  });
});
