import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'smol-toml';

import { mirrorTree } from './mirror-tree.js';
import { startRegistry } from './registry.js';

describe('registry', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-registry-'));
  });
  afterAll(async () => {
    await rm(dir, { recursive: true });
  });

  it('answers once it is started, and is gone once it is stopped', async () => {
    const registry = await startRegistry(join(dir, 'a'));
    expect((await fetch(`http://${registry.address}/v2/`)).status).toBe(200);
    await registry.stop();
    await expect(fetch(`http://${registry.address}/v2/`)).rejects.toThrow();
    expect(() => process.kill(registry.pid, 0)).toThrow('ESRCH');
  });

  it('has a port of its own each time', async () => {
    const both = await Promise.all([startRegistry(join(dir, 'b')), startRegistry(join(dir, 'c'))]);
    expect(new Set(both.map(({ address }) => address)).size).toBe(2);
    await Promise.all(both.map((registry) => registry.stop()));
  });

  it('is all that a mirrored host leads to', async () => {
    await mirrorTree(join(dir, 'hosts'), '127.0.0.1:5000', ['gcr.io']);
    const url = 'http://127.0.0.1:5000/v2/gcr.io';
    expect(parse(await readFile(join(dir, 'hosts', 'gcr.io', 'hosts.toml'), 'utf8'))).toEqual({
      server: url,
      override_path: true,
      host: { [url]: { capabilities: ['pull', 'resolve'], override_path: true } },
    });
  });
});
