import { existsSync, readlinkSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { mountIdmappedOverlay, narrowMount, unmount } from '../base/sys/sys.js';
import { rejection, useScratch } from '../base/testing.js';
import { HostFeatures } from './host-features.js';
import { withUserNamespace } from './user-namespace.js';

const scratch = useScratch('user-namespace');
const range = { containerId: 0, hostId: 300_000, length: 65_536 };
const MAPPINGS = { uid: range, gid: { ...range, hostId: 400_000 } };

describe('withUserNamespace', () => {
  it('has both namespaces with the mappings while it runs, and no process afterwards', async () => {
    let process = 0;
    const own = await withUserNamespace(MAPPINGS, async (pid) => {
      process = pid;
      const maps = await Promise.all(['uid_map', 'gid_map'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')));
      expect(maps.map((map) => map.trim().split(/\s+/))).toEqual([
        ['0', '300000', '65536'],
        ['0', '400000', '65536'],
      ]);
      return ['user', 'net'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`));
    });
    expect(own).not.toEqual(['user', 'net'].map((name) => readlinkSync(`/proc/self/ns/${name}`)));
    expect(existsSync(`/proc/${process}`)).toBe(false);
  });

  it('leaves the network namespace as it is where that is asked for', async () => {
    const own = await withUserNamespace(
      MAPPINGS,
      (pid) => Promise.resolve(['user', 'net'].map((name) => readlinkSync(`/proc/${pid}/ns/${name}`))),
      { network: 'node' },
    );
    expect(own[0]).not.toBe(readlinkSync('/proc/self/ns/user'));
    expect(own[1]).toBe(readlinkSync('/proc/self/ns/net'));
  });

  it('fails for ranges that the kernel does not take, and leaves no process', async () => {
    const bad = { ...MAPPINGS, uid: { ...range, length: 0 } };
    expect((await rejection(withUserNamespace(bad, () => Promise.resolve()))).code).toBe('EINVAL');
  });
});

describe('an idmapped overlay', () => {
  it('shows the ids of the namespace, and nothing of how it was made', async () => {
    const [top = '', base = '', target = ''] = ['top', 'base', 'target'].map((name) => scratch.path(name));
    for (const dir of [`${top}/sub`, base, target]) await mkdir(dir, { recursive: true });
    for (const file of [`${top}/sub/a`, `${base}/b`]) await writeFile(file, 'x');
    await chown(`${base}/b`, 5, 6);
    scratch.defer(() => unmount(target, { detach: true }));
    await withUserNamespace(MAPPINGS, (pid) =>
      mountIdmappedOverlay({ lower: [top, base], target }, `/proc/${pid}/ns/user`),
    );
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
    expect(mounts.filter((line) => line.includes(scratch.root))).toHaveLength(1);
    const owner = async (path: string): Promise<number[]> => {
      const { uid, gid } = await stat(`${target}/${path}`);
      return [uid, gid];
    };
    expect([await owner('.'), await owner('sub/a'), await owner('b')]).toEqual([
      [300_000, 400_000],
      [300_000, 400_000],
      [300_005, 400_006],
    ]);
    expect(await narrowMount(target, 'b')).toBe(false);
    expect(await narrowMount(target, 'none')).toBe(false);
    expect(await narrowMount(target, 'sub')).toBe(true);
    expect(await readdir(target)).toEqual(['a']);
  });
});

describe('HostFeatures', () => {
  it('finds out by trying, and leaves nothing', async () => {
    const host = new HostFeatures(scratch.root);
    expect(await host.idmappedLayers()).toMatch(/^$|cannot be mounted: /);
    expect(await readdir(scratch.root)).toEqual([]);
    await writeFile(scratch.path('file'), '');
    expect(await new HostFeatures(scratch.path('file')).idmappedLayers()).toContain('cannot be mounted: ');
  });
});
