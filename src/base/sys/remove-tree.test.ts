import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { removeTree } from '../files.js';
import { useScratch } from '../testing.js';
import { removeTreeSync } from './remove-tree.js';

const scratch = useScratch('remove');

/** Directories in each other, far beyond the longest path, with a file, a link and a name that is not UTF-8 in each tenth. */
function nest(path: string, depth: number): void {
  mkdirSync(path);
  const script = `use utf8; my ($path, $depth) = @ARGV; chdir $path or die;
    for my $n (1..$depth) {
      if ($n % 10 == 0) { open(my $f, '>', "f"); symlink('/etc', "l"); mkdir "n\\xff"; }
      mkdir "directory-$n" or die; chdir "directory-$n" or die;
    }`;
  execFileSync('perl', ['-e', script, path, String(depth)]);
}

describe('removing a tree', () => {
  it.each([
    ['in a thread that may block', async (path: string) => Promise.resolve().then(() => removeTreeSync(path))],
    ['from the main thread', removeTree],
  ])('deeper than the longest path works: %s', async (_, remove) => {
    const path = scratch.path('deep');
    nest(path, 1_200);
    await remove(path);
    expect(existsSync(path)).toBe(false);
  });

  it('of usual depth, of nothing, and of a file works', async () => {
    nest(scratch.path('usual'), 30);
    writeFileSync(scratch.path('file'), '');
    for (const name of ['usual', 'none', 'file']) {
      await removeTree(scratch.path(name));
      expect(existsSync(scratch.path(name))).toBe(false);
    }
    removeTreeSync(scratch.path('none'));
  });
});
