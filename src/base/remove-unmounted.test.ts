import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';

import { expect, it } from '@jest/globals';

import { removeUnmounted } from './remove-unmounted.js';
import { MS } from './sys/calls.js';
import { mount, unmount } from './sys/sys.js';
import { rejection, useScratch } from './testing.js';

const scratch = useScratch('remove');

it.each(['below', 'be low', 'b\\e\tl'])('never empties what is mounted at "%s"', async (name) => {
  const [host, bundle] = [scratch.path('host'), scratch.path('bundle')];
  const volume = `${bundle}/${name}`;
  await mkdir(host);
  await mkdir(volume, { recursive: true });
  await writeFile(`${host}/precious`, 'data');
  scratch.defer(() => unmount(volume));
  await mount({ source: host, target: volume, flags: MS.BIND });

  const error = await rejection(removeUnmounted(bundle));
  expect(error).toMatchObject({ code: 'failed-precondition', message: `${volume} is still mounted` });
  expect(await readFile(`${host}/precious`, 'utf8')).toBe('data');

  await unmount(volume);
  await removeUnmounted(bundle);
  await expect(stat(bundle)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await readFile(`${host}/precious`, 'utf8')).toBe('data');
});

it('sees mounts behind a link, such as /var/run', async () => {
  await mkdir(scratch.path('run', 'bundle', 'shm'), { recursive: true });
  await symlink('run', scratch.path('link'));
  scratch.defer(() => unmount(scratch.path('run', 'bundle', 'shm')));
  await mount({ source: 'tmpfs', target: scratch.path('run', 'bundle', 'shm'), type: 'tmpfs' });
  expect((await rejection(removeUnmounted(scratch.path('link', 'bundle')))).code).toBe('failed-precondition');
});

it('does not mind mounts beside it, nor that nothing is there', async () => {
  await mkdir(scratch.path('bundle-2'));
  scratch.defer(() => unmount(scratch.path('bundle-2')));
  await mount({ source: 'tmpfs', target: scratch.path('bundle-2'), type: 'tmpfs' });
  await mkdir(scratch.path('bundle'));
  await removeUnmounted(scratch.path('bundle'));
  await removeUnmounted(scratch.path('bundle'));
  await writeFile(scratch.path('file'), '');
  await removeUnmounted(scratch.path('file', 'below'));
});
