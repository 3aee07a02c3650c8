import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { errnoOf } from '../errors.js';
import { rejection, thrown, until, useScratch } from '../testing.js';
import { mountOverlayByData, mountOverlaySync, MS } from './calls.js';
import { mount, mountOverlay, syncFileSystem, unmount } from './sys.js';

const scratch = useScratch('mount');

describe('mount and unmount', () => {
  async function isMounted(path: string): Promise<boolean> {
    return (await readFile('/proc/self/mounts', 'utf8')).includes(` ${path} `);
  }

  it('unmounts all that is stacked, and does not mind nothing', async () => {
    const target = scratch.path('target');
    await unmount(target);
    await mkdir(target);
    await unmount(target);
    for (const size of ['64k', '128k', '256k'])
      await mount({ source: 'tmpfs', target, type: 'tmpfs', data: `size=${size}` });
    expect(await isMounted(target)).toBe(true);
    await unmount(target);
    expect(await isMounted(target)).toBe(false);
    await writeFile(scratch.path('file'), '');
    await unmount(scratch.path('file', 'below'));
  });

  it('leaves a busy one alone unless told to detach it', async () => {
    const target = scratch.path('target');
    await mkdir(target);
    await mount({ source: 'tmpfs', target, type: 'tmpfs' });
    const child = spawn('/bin/sleep', ['60'], { cwd: target, stdio: 'ignore' });
    scratch.defer(() => child.kill('SIGKILL'));
    scratch.defer(() => unmount(target, { detach: true }));
    await until(() => readFile(`/proc/${child.pid}/cmdline`, 'utf8').then((text) => text.includes('60')));
    expect((await rejection(unmount(target))).code).toBe('EBUSY');
    await unmount(target, { detach: true });
    expect(await isMounted(target)).toBe(false);
  });

  it('does not follow a link to the mount of another', async () => {
    const target = scratch.path('target');
    await mkdir(target);
    await mount({ source: 'tmpfs', target, type: 'tmpfs' });
    scratch.defer(() => unmount(target));
    await symlink(target, scratch.path('link'));
    await unmount(scratch.path('link'));
    expect(await isMounted(target)).toBe(true);
  });

  it('binds with flags', async () => {
    const [source, target] = [scratch.path('source'), scratch.path('target')];
    await mkdir(source);
    await mkdir(target);
    await writeFile(`${source}/file`, 'text');
    scratch.defer(() => unmount(target));
    await mount({ source, target, flags: MS.BIND });
    await mount({ source: 'none', target, flags: MS.BIND | MS.REMOUNT | MS.RDONLY });
    expect(readFileSync(`${target}/file`, 'utf8')).toBe('text');
    expect(errnoOf(thrown(() => writeFileSync(`${target}/file`, 'x')))).toBe('EROFS');
  });

  it('syncs a file system', async () => {
    await syncFileSystem(scratch.root);
    expect((await rejection(syncFileSystem(scratch.path('none')))).code).toBe('ENOENT');
  });
});

describe('overlays', () => {
  /** `count` layers, each with a file of its own and one that all have. */
  async function layers(count: number, prefix = 'layer'): Promise<string[]> {
    const dirs = Array.from({ length: count }, (_, index) => scratch.path(`${prefix}-${index}`));
    for (const [index, dir] of dirs.entries()) {
      await mkdir(dir);
      await writeFile(`${dir}/own-${index}`, '');
      await writeFile(`${dir}/shared`, String(index));
    }
    return dirs;
  }

  async function request(lower: readonly string[]) {
    const [upper, work, target] = [scratch.path('upper'), scratch.path('work'), scratch.path('merged')];
    for (const dir of [upper, work, target]) await mkdir(dir);
    scratch.defer(() => unmount(target));
    return { lower, upper, work, target };
  }

  it.each([1, 2, 130, 400])('shows %d layers, the first on top, and writes above them', async (count) => {
    const lower = await layers(count);
    const overlay = await request(lower);
    await mountOverlay({ ...overlay, volatile: true });
    expect(readdirSync(overlay.target)).toHaveLength(count + 1);
    expect(readFileSync(`${overlay.target}/shared`, 'utf8')).toBe('0');
    writeFileSync(`${overlay.target}/shared`, 'new');
    expect(readFileSync(`${overlay.upper}/shared`, 'utf8')).toBe('new');
    expect(readFileSync(`${lower[0]}/shared`, 'utf8')).toBe('0');
  });

  it('takes paths with the characters that options are made of', async () => {
    const lower = await layers(2, 'a:b,c');
    const overlay = await request(lower);
    await mountOverlay(overlay);
    expect(readdirSync(overlay.target).sort()).toEqual(['own-0', 'own-1', 'shared']);
  });

  it('does the same by one page of options, where that holds them', async () => {
    const lower = await layers(3, 'a:b,c\\d');
    const overlay = await request(lower);
    mountOverlayByData({ ...overlay, volatile: true });
    expect(readdirSync(overlay.target).sort()).toEqual(['own-0', 'own-1', 'own-2', 'shared']);
    await unmount(overlay.target);
    // The kernel would cut the list and mount what is left of it.
    const many = Array.from({ length: 500 }, () => lower[0] ?? '');
    expect(thrown(() => mountOverlayByData({ ...overlay, lower: many }))).toMatchObject({
      code: 'E2BIG',
      message: `mount overlay on ${overlay.target}: the paths of 500 layers are too long`,
    });
    expect(readdirSync(overlay.target)).toEqual([]);
  });

  it('stacks 400 layers of short names by one page of options, and stays where it was', async () => {
    const here = process.cwd();
    const lower = await layers(400, 'l');
    const overlay = await request(lower);
    mountOverlayByData(overlay);
    expect(readdirSync(overlay.target)).toHaveLength(401);
    expect(readlinkSync('/proc/self/cwd')).toBe(here);
  });

  it('says which directory is missing', async () => {
    const overlay = await request(await layers(1));
    const error = thrown(() => mountOverlaySync({ ...overlay, lower: [scratch.path('none')] }));
    expect(error).toMatchObject({ code: 'ENOENT', message: expect.stringContaining(scratch.path('none')) });
    expect((await rejection(mountOverlay({ ...overlay, target: scratch.path('no') }))).code).toBe('ENOENT');
  });

  it('keeps no descriptor, of a failure either', async () => {
    const overlay = await request(await layers(2));
    const count = (): number => readdirSync('/proc/self/fd').length;
    await mountOverlay(overlay);
    await unmount(overlay.target);
    const before = count();
    for (let round = 0; round < 5; round++) {
      await mountOverlay(overlay);
      await unmount(overlay.target);
      await rejection(mountOverlay({ ...overlay, upper: scratch.path('none') }));
      await rejection(mountOverlay({ ...overlay, target: scratch.path('none') }));
    }
    expect(count()).toBe(before);
  });
});
