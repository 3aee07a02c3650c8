import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { silentLogger } from '../../base/log.js';
import { imageOf, writeLayout } from '../../image-service/image-fixture.js';
import { ImageService } from '../../image-service/image-service.js';
import { adminStreams } from '../../daemon/admin.js';
import { startServer, type RunningServer } from '../../server/server.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

let scratch: string;
let service: ImageService;
let server: RunningServer;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-cli-'));
  const options = {
    root: join(scratch, 'root'),
    hostsDirs: [],
    maxParallelLayers: 1,
    stallTimeoutMs: 1000,
    pinned: [],
  };
  service = await ImageService.open({ ...options, logger: silentLogger() });
  const listen = join(scratch, 'gantry.sock');
  server = await startServer({ listen, handlers: {}, adminStreams: adminStreams(service), logger: silentLogger() });
  server.setReady();
});
afterAll(async () => {
  await server.drain(1000);
  await service.close();
  rmSync(scratch, { recursive: true });
});

/** Runs the command in a directory, as people do. */
const gantry = (...args: string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, [MAIN, '--address', join(scratch, 'gantry.sock'), 'image', ...args], {
    cwd: scratch,
  });

describe('gantry image import', () => {
  it('imports a layout by a relative path and prints names and ids', async () => {
    const image = imageOf({ layers: [[{ name: 'f' }]] });
    writeLayout(join(scratch, 'layout'), { 'example.test/x:v1': image });
    expect((await gantry('import', 'layout')).stdout).toBe(`example.test/x:v1 ${image.id}\n`);
    expect((await gantry('import', '--name', 'mine', 'layout')).stdout).toContain('docker.io/library/mine:latest');
    expect(service.resolve('mine').id).toBe(image.id);
  });

  it('says what is wrong and exits with 1', async () => {
    const failed: unknown = await gantry('import', 'nowhere').catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${join(scratch, 'nowhere')} cannot be read`) as unknown,
    });
  });
});
