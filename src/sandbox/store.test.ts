import { readdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { silentLogger } from '../base/log.js';
import { useScratch } from '../base/testing.js';
import { openSandboxStore } from './store.js';
import { podConfig } from './testing.js';
import type { SandboxRecord } from './types.js';

const scratch = useScratch('store');
const open = () => openSandboxStore(scratch.root, silentLogger());

function record(): SandboxRecord {
  const id = newId();
  return { id, config: podConfig(), requestDigest: 'd', createdAt: '1', handler: 'runc', cgroupParent: '/x' };
}

describe('the store of sandboxes', () => {
  it.each([
    { state: 'creating' },
    { state: 'ready', pause: { pid: 7, startTime: '1@x' }, ips: ['10.0.0.1'], cniResult: { ips: [] } },
    { state: 'not-ready', released: true },
    { state: 'removing' },
  ] as const)('has %j after a restart', async (status) => {
    const own = record();
    await (await open()).create(own, status);
    expect((await open()).list()).toEqual([{ record: own, status }]);
  });

  it.each([
    ['status.json', { state: 'paused' }],
    ['status.json', { state: 'ready' }],
    ['status.json', { state: 'ready', pause: { pid: 'x' }, ips: [] }],
    ['status.json', { state: 'ready', pause: { pid: 7, startTime: '1' } }],
    ['status.json', {}],
    ['record.json', { config: null, handler: 'runc', createdAt: '1' }],
    ['record.json', { config: {}, handler: 'runc', createdAt: '1' }],
    ['record.json', { config: podConfig(), createdAt: '1' }],
  ])('moves aside a %s of %j', async (file, content) => {
    const own = record();
    await (await open()).create(own, { state: 'creating' });
    const path = scratch.path('sandboxes', own.id, file);
    await writeFile(path, JSON.stringify({ version: 1, id: own.id, ...content }));
    expect((await open()).list()).toEqual([]);
    expect(await readdir(scratch.path('quarantine'))).toHaveLength(1);
  });
});
