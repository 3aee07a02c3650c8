import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { run, runOk } from '../src/base/spawn.js';
import { buildEmbeddedImage } from './build-embedded-image.js';
import type { Descriptor } from './oci-layout/blob.js';
import { readBlob, readLayout } from './oci-layout/layout.js';

describe('buildEmbeddedImage', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-embedded-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  it('makes a root file system that runs, the same each time', async () => {
    await buildEmbeddedImage(join(dir, 'a'));
    await buildEmbeddedImage(join(dir, 'b'));
    const index = (name: string): Promise<string> => readFile(join(dir, name, 'index.json'), 'utf8');
    expect(await index('a')).toBe(await index('b'));
    const [found] = await readLayout(join(dir, 'a'));
    expect(found?.name).toBe('gantry.local/hello:latest');
    await unpack(join(dir, 'a'), found?.root);
    // Ended by timeout: exit code 124, and its whole process group with it.
    const greeting = await run('timeout', ['1', 'chroot', join(dir, 'root'), '/bin/hello'], { timeoutMs: 10_000 });
    expect(greeting.stdout.toString()).toMatch(/^hello from .+\ngoodbye\n$/);
  });

  async function unpack(layout: string, root: Descriptor | undefined): Promise<void> {
    if (root === undefined) throw new TypeError('no image');
    const manifest = JSON.parse((await readBlob(layout, root)).data.toString()) as { layers: Descriptor[] };
    await runOk('mkdir', [join(dir, 'root')], { timeoutMs: 10_000 });
    for (const each of manifest.layers) {
      const { data } = await readBlob(layout, each);
      await runOk('tar', ['-xzf', '-', '-C', join(dir, 'root')], { timeoutMs: 10_000, stdin: data });
    }
  }
});
