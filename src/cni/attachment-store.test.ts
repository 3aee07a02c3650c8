import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { describeError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { silentLogger } from '../base/log.js';
import { AttachmentStore, type AttachmentIntent } from './attachment-store.js';
import { RESULT, Scratch } from './testing.js';

const NETWORK = {
  name: 'pods',
  cniVersion: '1.0.0' as const,
  disableCheck: false,
  disableGC: false,
  plugins: [{ type: 'one' }],
};

describe('the store of attachments', () => {
  const sandboxId = newId();
  let scratch: Scratch;
  let store: AttachmentStore;
  let intent: AttachmentIntent;

  beforeEach(async () => {
    scratch = await Scratch.make();
    store = await AttachmentStore.open(scratch.recordDir, silentLogger());
    const attachments = [{ ifname: 'eth0', network: NETWORK }];
    intent = { sandboxId, netnsPath: '/run/netns/a', args: 'A=b', capabilities: { mac: 'm' }, attachments };
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  const path = (suffix: string): string => join(scratch.recordDir, `${sandboxId}${suffix}`);

  it('gives back what it was given, with results or without', async () => {
    expect(await store.read(sandboxId)).toBeUndefined();
    await store.writeIntent(intent);
    expect(await store.read(sandboxId)).toEqual({ intent, results: {} });
    await store.writeResults(sandboxId, { eth0: RESULT });
    expect(await store.read(sandboxId)).toEqual({ intent, results: { eth0: RESULT } });
    expect(await store.list()).toEqual([sandboxId]);
    await store.remove(sandboxId);
    await store.remove(sandboxId);
    expect(await readdir(scratch.recordDir)).toEqual([]);
  });

  it('does without a result that cannot be read', async () => {
    await store.writeIntent(intent);
    await writeFile(path('.result.json'), '');
    expect(await store.read(sandboxId)).toEqual({ intent, results: {} });
  });

  it.each([
    ['', 'is not JSON'],
    ['{"version": 2}', 'has version 2, not 1'],
    [`{"version": 1, "sandboxId": "${newId()}"}`, 'sandboxId is of another sandbox'],
    [`{"version": 1, "sandboxId": "${sandboxId}", "attachments": [{}]}`, 'no ifname or network'],
    [
      `{"version": 1, "sandboxId": "${sandboxId}", "attachments": [{"ifname": "a", "network": {}}]}`,
      'lists no plugins',
    ],
  ])('calls the intent %j lost, and sets it aside', async (text, message) => {
    await writeFile(path('.json'), text);
    const error: unknown = await store.read(sandboxId).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'data-loss' });
    expect(describeError(error)).toContain(message);
    await store.setAside(sandboxId);
    expect(await store.list()).toEqual([]);
    expect(await readFile(path('.json.corrupt'), 'utf8')).toBe(text);
  });

  it('lists only what is named as a sandbox', async () => {
    await writeFile(join(scratch.recordDir, 'notes.json'), '{}');
    await writeFile(join(scratch.recordDir, `.${sandboxId}.json.abc.tmp`), '');
    await store.writeIntent(intent);
    await store.writeResults(sandboxId, {});
    expect(await store.list()).toEqual([sandboxId]);
  });

  it('takes nothing for an id that would be a path', async () => {
    await expect(store.read('../../etc/passwd')).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});
