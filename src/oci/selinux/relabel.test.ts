import { mkdir, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../../base/testing.js';
import { mount, unmount } from '../../base/sys/sys.js';
import { readXattrSync } from '../../base/sys/xattr.js';
import { isNodes, relabel } from './relabel.js';

const scratch = useScratch('relabel');
const LABEL = 'system_u:object_r:container_file_t:s0:c1,c2';

/** Without the final zero, which not all who write one add. */
const labelOf = (path: string): string | undefined =>
  readXattrSync(path, 'security.selinux')?.toString().replace(/\0$/, '');

describe('relabel', () => {
  it('labels a tree, and nothing that links lead to', async () => {
    const [volume, outside] = [scratch.path('volume'), scratch.path('outside')];
    await mkdir(`${volume}/dir`, { recursive: true });
    await writeFile(outside, '');
    await writeFile(`${volume}/dir/-file`, '');
    await symlink(outside, `${volume}/link`);
    await symlink(volume, scratch.path('source'));
    const before = labelOf(outside);
    await relabel(scratch.path('source'), LABEL);
    for (const name of ['', '/dir', '/dir/-file', '/link']) expect(labelOf(volume + name)).toBe(LABEL);
    expect(labelOf(outside)).toBe(before);
  });

  it('takes a file system without labels', async () => {
    const target = scratch.path('ramfs');
    await mkdir(target);
    await mount({ source: 'none', target, type: 'ramfs' });
    scratch.defer(() => unmount(target));
    await relabel(target, LABEL);
    expect(labelOf(target)).toBeUndefined();
  });

  it('tells what stands in its way', async () => {
    const { code } = await rejection(relabel(scratch.path('nothing'), LABEL));
    expect(code).toBe('invalid-argument');
  });

  it('refuses the node’s own directories, however they are named', async () => {
    await symlink('/etc', scratch.path('etc'));
    const { code, message } = await rejection(relabel(scratch.path('etc'), LABEL));
    expect(code).toBe('invalid-argument');
    expect(message).toContain('/etc is the node’s own'.replace('’', "'"));
  });

  it.each(['/', '/usr', '/var/lib', '/sys/fs', '/dev/null'])('leaves %s alone', (path) => {
    expect(isNodes(path)).toBe(true);
  });

  it.each(['/var/lib/kubelet', '/etc/kubernetes', '/mnt/data', '/home/user'])('may label %s', (path) => {
    expect(isNodes(path)).toBe(false);
  });
});
