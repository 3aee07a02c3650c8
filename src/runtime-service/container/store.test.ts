import { readdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { newId } from '../../base/ids.js';
import { silentLogger } from '../../base/log.js';
import { useScratch } from '../../base/testing.js';
import { openContainerStore } from './store.js';
import { containerConfig } from './testing.js';
import type { ContainerRecord } from './types.js';

const scratch = useScratch('store');
const open = () => openContainerStore(scratch.root, silentLogger());
const process = { pid: 7, startTime: '1@x' };
const processes = { init: process, monitor: process, cgroupDir: '/x' };

function record(): ContainerRecord {
  return {
    ...{ id: newId(), name: 'n', sandboxId: newId(), config: containerConfig(), requestDigest: 'd', createdAt: '1' },
    ...{ handler: 'runc', imageId: 'i', imageRef: 'r', logPath: '', stopSignal: 'SIGTERM' },
  };
}

describe('the store of containers', () => {
  it.each([
    { state: 'creating' },
    { state: 'created', processes },
    { state: 'running', processes, startedAt: '5' },
    { state: 'unstartable', message: 'no such program' },
    { state: 'exited', finishedAt: '6', exitCode: 3, reason: 'Error', message: '' },
    { state: 'removing' },
  ] as const)('has %j after a restart', async (status) => {
    const own = record();
    await (await open()).create(own, status);
    expect((await open()).list()).toEqual([{ record: own, status }]);
  });

  it.each([
    ['status.json', { state: 'paused' }],
    ['status.json', { state: 'running' }],
    ['status.json', { state: 'unstartable' }],
    ['status.json', { state: 'running', processes }],
    ['status.json', { state: 'created', processes: { init: process, monitor: process } }],
    ['status.json', { state: 'created', processes: { ...processes, init: { pid: 7 } } }],
    ['status.json', { state: 'created', processes: null }],
    ['status.json', { state: 'exited', exitCode: '3', finishedAt: '1' }],
    ['record.json', { config: null, sandboxId: 's', imageId: 'i' }],
    ['record.json', { config: containerConfig(), imageId: 'i' }],
  ])('moves aside a %s of %j', async (file, content) => {
    const own = record();
    await (await open()).create(own, { state: 'creating' });
    const path = scratch.path('containers', own.id, file);
    await writeFile(path, JSON.stringify({ version: 1, id: own.id, ...content }));
    expect((await open()).list()).toEqual([]);
    expect(await readdir(scratch.path('quarantine'))).toHaveLength(1);
  });
});
