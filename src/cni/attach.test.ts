import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { deleteAll } from './attach.js';
import type { NetworkConfig } from './network-config.js';
import { Scratch } from './testing.js';

describe('DEL of several networks', () => {
  let scratch: Scratch;

  beforeEach(async () => {
    scratch = await Scratch.make();
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  const network = (name: string): NetworkConfig => ({
    name,
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    plugins: [{ type: name }],
  });

  it('leaves the others where one fails, in reverse order, and names every failure', async () => {
    await scratch.plugin('first', 'echo broken; exit 1');
    await scratch.good('second');
    await scratch.plugin('third', 'echo broken; exit 1');
    const attachments = ['first', 'second', 'third'].map((name, at) => ({
      ifname: `net${at}`,
      network: network(name),
    }));
    const intent = { sandboxId: newId(), netnsPath: '/nowhere', args: '', capabilities: {}, attachments };
    const removed = deleteAll({ binDirs: [scratch.binDir], timeoutMs: 10_000 }, { intent, results: {} });
    await expect(removed).rejects.toThrow(
      /"third" DEL on network "third".*; cni plugin "first" DEL on network "first"/,
    );
    expect(await scratch.sequence()).toEqual(['DEL third', 'DEL second', 'DEL first']);
  });
});
