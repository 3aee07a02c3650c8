import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { checkTree } from './check-tree.js';
import { readTree } from './read-tree.js';
import { ROOMS } from './rooms.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gantry-imports-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** The breaches of a tree of these files. */
async function breachesOf(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return checkTree(await readTree(root, ['src', 'e2e', 'scripts', 'bench']));
}

describe('allowed imports', () => {
  it.each([
    ['src/cni/run.ts', '../base/errors.js'],
    ['src/oci/spec/mounts.ts', '../../config/config.js'],
    ['src/sandbox/run.ts', '../cni/chain.js'],
    ['src/image-service/pull.ts', './registry/fetch.js'],
    ['src/image-service/layers/unpack.ts', '../types.js'],
    ['src/runtime-service/container/create.ts', '../../sandbox/store.js'],
    ['src/runtime-service/handlers/version.ts', '../convert/version.js'],
    ['src/runtime-service/handlers/version.ts', '../../../api/cri/generated/api.cjs'],
    ['src/server/server.ts', '../runtime-service/handlers/version.js'],
    ['src/main.ts', './sandbox/run.js'],
    ['src/cli/doctor.ts', '../image-service/import.js'],
    ['src/cni/run.test.ts', './fixtures/plugin.js'],
    ['src/server/socket.test.ts', './testing.js'],
    ['e2e/pods.test.ts', '../src/base/spawn.js'],
    ['src/base/log.ts', 'pino'],
  ])('%s imports %s', async (path, specifier) => {
    expect(await breachesOf({ [path]: `import { x } from '${specifier}';\n` })).toEqual([]);
  });

  it('generated code as a type, anywhere', async () => {
    const text = `import type { runtime } from '../../api/cri/generated/api.cjs';\n`;
    expect(await breachesOf({ 'src/sandbox/types.ts': text })).toEqual([]);
  });
});

describe('forbidden imports', () => {
  it.each([
    ['src/base/log.ts', '../config/config.js', 'src/base/** must not import from src/config/** (src/config/config.ts)'],
    ['src/oci/run.ts', '../cni/run.js', 'src/oci/** must not import from src/cni/** (src/cni/run.ts)'],
    ['src/cni/run.ts', '../oci/run.js', 'src/cni/** must not import from src/oci/** (src/oci/run.ts)'],
    [
      'src/sandbox/run.ts',
      '../image-service/pull.js',
      'src/sandbox/** must not import from src/image-service/* (src/image-service/pull.ts)',
    ],
    [
      'src/image-service/pull.ts',
      '../sandbox/run.js',
      'src/image-service/* must not import from src/sandbox/** (src/sandbox/run.ts)',
    ],
    [
      'src/image-service/pull.ts',
      './handlers/pull.js',
      'src/image-service/* must not import from src/image-service/handlers/** (src/image-service/handlers/pull.ts)',
    ],
    [
      'src/runtime-service/container/a.ts',
      '../handlers/a.js',
      'src/runtime-service/container/** must not import from src/runtime-service/handlers/** (src/runtime-service/handlers/a.ts)',
    ],
    [
      'src/runtime-service/handlers/a.ts',
      '../../server/codes.js',
      'src/runtime-service/handlers/** must not import from src/server/** (src/server/codes.ts)',
    ],
    [
      'src/sandbox/run.ts',
      '../../api/cri/generated/api.cjs',
      'src/sandbox/** may import generated protobuf code as types only',
    ],
    ['src/cli/gantry.ts', '../main.js', 'nothing imports src/main.ts'],
    ['e2e/pods.test.ts', '../src/sandbox/run.js', 'e2e/** must not import from src/sandbox/** (src/sandbox/run.ts)'],
    ['src/cni/run.ts', './run.test.js', 'src/cni/run.test.ts is for tests only'],
    ['src/server/socket.ts', './testing.js', 'src/server/testing.ts is for tests only'],
    ['src/cni/run.ts', './fixtures/plugin.js', 'src/cni/fixtures/plugin.ts is for tests only'],
    ['src/cni/sub/run.test.ts', '../fixtures/plugin.js', 'src/cni/fixtures/plugin.ts belongs to the tests beside it'],
    ['src/cni/run.ts', '../nowhere/x.js', 'src/nowhere/x.ts is in no room'],
  ])('%s imports %s', async (path, specifier, expected) => {
    expect(await breachesOf({ [path]: `// first\nimport { x } from '${specifier}';\n` })).toEqual([
      `${path}:2: ${expected}`,
    ]);
  });

  it.each([
    ['a type import', `import type { x } from '../cni/run.js';`],
    ['a re-export', `export { x } from '../cni/run.js';`],
    ['a re-export of all', `export * from '../cni/run.js';`],
    ['a dynamic import', `const x = await import('../cni/run.js');`],
    ['an import type', `type X = import('../cni/run.js').X;`],
    ['an import for its effect', `import '../cni/run.js';`],
    ['a worker', `new Worker(new URL('../cni/run.js', import.meta.url));`],
  ])('sees %s', async (_, line) => {
    expect(await breachesOf({ 'src/oci/a.ts': `${line}\n` })).toEqual([
      'src/oci/a.ts:1: src/oci/** must not import from src/cni/** (src/cni/run.ts)',
    ]);
  });

  it.each([
    [
      'inline types, which load the module all the same',
      `import { type x } from '../../api/cri/generated/api.cjs';`,
      1,
    ],
    ['re-exported types', `export type { x } from '../../api/cri/generated/api.cjs';`, 0],
  ])('tells run time from types: %s', async (_, line, breaches) => {
    expect(await breachesOf({ 'src/oci/a.ts': `${line}\n` })).toHaveLength(breaches);
  });
});

describe('files', () => {
  it.each(['src/new/a.ts', 'src/a.ts', 'src/image-service/new/a.ts', 'src/runtime-service/new/a.ts'])(
    'refuses %s, for which there is no rule',
    async (path) => {
      expect(await breachesOf({ [path]: '' })).toEqual([
        `${path}:1: no rule for this folder, see scripts/check-imports/rooms.ts`,
      ]);
    },
  );

  it('refuses more than 400 lines', async () => {
    expect(await breachesOf({ 'src/oci/a.ts': '\n'.repeat(400), 'src/oci/b.ts': '\n'.repeat(401) })).toEqual([
      'src/oci/b.ts:1: 401 lines, the limit is 400',
    ]);
  });

  it('reports each cycle, and none through a worker', async () => {
    const files = {
      'src/oci/a.ts': `import './b.js';\n`,
      'src/oci/b.ts': `import type { C } from './c.js';\n`,
      'src/oci/c.ts': `import './a.js';\n`,
      'src/cni/start.ts': `new URL('./worker.js', import.meta.url);\n`,
      'src/cni/worker.ts': `import type { Start } from './start.js';\n`,
    };
    expect(await breachesOf(files)).toEqual([
      'src/oci/a.ts:1: import cycle: src/oci/a.ts → src/oci/b.ts → src/oci/c.ts → src/oci/a.ts',
    ]);
  });
});

describe('the rules', () => {
  it('name only rooms that exist', () => {
    const known = new Set(ROOMS.map(({ files }) => files));
    expect(ROOMS.flatMap(({ may }) => may).filter((files) => !known.has(files))).toEqual([]);
  });
});
