import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { runOk } from '../../src/base/spawn.js';

/** Where the C sources of the images' programs are. */
export const PROGRAMS = join(PROJECT_ROOT, 'e2e', 'images', 'programs');

const FLAGS = ['-Os', '-s', '-static', '-Wall', '-Wextra', '-Werror', '-Wl,--build-id=none'];

/** Compiles `programs/<name>.c` into a static executable, which needs nothing of the image it lands in. */
export async function compile(name: string): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-compile-'));
  try {
    const out = join(dir, name);
    await runOk('gcc', [...FLAGS, '-o', out, `${name}.c`], { timeoutMs: 60_000, cwd: PROGRAMS });
    return await readFile(out);
  } finally {
    await rm(dir, { recursive: true });
  }
}
