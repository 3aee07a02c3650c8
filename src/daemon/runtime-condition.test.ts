import { chmod, rm, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { useScratch } from '../base/testing.js';
import { loadConfig } from '../config/load-config.js';
import { runtimeCondition } from './runtime-condition.js';

const scratch = useScratch('condition');
const programs = ['runtime', 'monitor', 'pause'];

beforeEach(async () => {
  for (const name of programs) {
    await writeFile(scratch.path(name), '');
    await chmod(scratch.path(name), 0o755);
  }
});

async function config(pauseImage = '') {
  const [runtime, monitor, pause] = programs.map((name) => scratch.path(name));
  const text = `runtime: { handlers: { runc: { path: "${runtime}" } }, monitor: "${monitor}", pause_command: "${pause}" }
image: { pause_image: "${pauseImage}" }\n`;
  await writeFile(scratch.path('gantry.yaml'), text);
  return loadConfig({ file: scratch.path('gantry.yaml') });
}

describe('runtimeCondition', () => {
  it('is ready while all programs are there', async () => {
    expect(await runtimeCondition(await config())).toEqual({ ready: true, reason: '', message: '' });
  });

  it.each(programs)('names the program that has gone: %s', async (name) => {
    const loaded = await config();
    await rm(scratch.path(name));
    const { ready, reason, message } = await runtimeCondition(loaded);
    expect([ready, reason]).toEqual([false, 'RuntimeProgramMissing']);
    expect(message).toContain(`${scratch.path(name)} cannot be run: ENOENT`);
  });

  it('needs no program of its own where pause is an image', async () => {
    const loaded = await config('registry.example/pause:1');
    await rm(scratch.path('pause'));
    expect(await runtimeCondition(loaded)).toMatchObject({ ready: true });
  });
});
