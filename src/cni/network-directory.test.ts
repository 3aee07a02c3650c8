import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Scratch, until } from './testing.js';

const list = (name: string, more: object = {}): object => ({
  cniVersion: '1.0.0',
  name,
  plugins: [{ type: 'one' }],
  ...more,
});

/** Longer than any test: what changes here, changes by events. */
const NO_POLL = 3_600_000;

describe('the status of the network', () => {
  let scratch: Scratch;

  beforeEach(async () => {
    scratch = await Scratch.make();
    await scratch.good('one');
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  it('is ready with the first valid network, and names the files that are left out', async () => {
    await scratch.conf('05-bad.conflist', '{');
    await scratch.conf('10-a.conflist', list('a'));
    await scratch.conf('20-b.conflist', list('b'));
    const status = (await scratch.manager()).status();
    expect(status).toMatchObject({ ready: true, reason: '', network: 'a', file: '10-a.conflist' });
    expect(status.message).toContain('05-bad.conflist is left out');
    expect(status.networks.map(({ config }) => config.name)).toEqual(['a', 'b']);
  });

  it('says that there is no configuration, or no valid one', async () => {
    const manager = await scratch.manager();
    const reason = 'NetworkPluginNotReady';
    const message = `cni: no network configuration in ${scratch.confDir}`;
    expect(manager.status()).toMatchObject({ ready: false, reason, message });
    await scratch.conf('10-bad.conflist', '{}');
    await manager.refresh();
    expect(manager.status().message).toBe(
      `cni: no valid network configuration in ${scratch.confDir}; cni: 10-bad.conflist is left out: has no name`,
    );
  });

  it('names the plugins that are missing', async () => {
    await scratch.conf('10-a.conflist', list('a', { plugins: [{ type: 'one' }, { type: 'ghost' }] }));
    const { ready, message } = (await scratch.manager()).status();
    expect(ready).toBe(false);
    expect(message).toBe(`cni: plugin "ghost" of network "a" (10-a.conflist) not found in ${scratch.binDir}`);
  });

  it('asks plugins of 1.1 for theirs', async () => {
    await scratch.plugin('one', `echo '{"code": 50, "msg": "daemon is down"}'; exit 1`);
    await scratch.conf('10-a.conflist', list('a', { cniVersion: '1.1.0' }));
    const manager = await scratch.manager();
    expect(manager.status()).toMatchObject({
      ready: false,
      message: expect.stringContaining('daemon is down (code 50)'),
    });
    const [call] = await scratch.calls();
    expect(call).toMatchObject({ command: 'STATUS', config: { type: 'one', name: 'a', cniVersion: '1.1.0' } });
    await scratch.good('one');
    await manager.refresh();
    expect(manager.status().ready).toBe(true);
  });

  it('follows files that come, change and go', async () => {
    const manager = await scratch.manager({ pollMs: NO_POLL });
    await scratch.conf('10-a.conflist', list('a'));
    await until(() => manager.status().network === 'a');
    await scratch.conf('10-a.conflist', list('b'));
    await until(() => manager.status().network === 'b');
    await rm(join(scratch.confDir, '10-a.conflist'));
    await until(() => !manager.status().ready);
  });

  it('follows the directory when it is made, removed, re-made and renamed', async () => {
    await rm(scratch.confDir, { recursive: true });
    const manager = await scratch.manager({ pollMs: NO_POLL });
    for (const name of ['a', 'b']) {
      await mkdir(scratch.confDir);
      await scratch.conf('10-a.conflist', list(name));
      await until(() => manager.status().network === name);
      await rm(scratch.confDir, { recursive: true });
      await until(() => !manager.status().ready);
    }
    const next = join(scratch.root, 'next');
    await mkdir(next);
    await rename(next, scratch.confDir);
    await scratch.conf('10-a.conflist', list('c'));
    await until(() => manager.status().network === 'c');
    await scratch.conf('10-a.conflist', list('d'));
    await until(() => manager.status().network === 'd');
  });

  it('follows plugins that are installed later', async () => {
    await scratch.conf('10-a.conflist', list('a', { plugins: [{ type: 'late' }] }));
    const manager = await scratch.manager({ pollMs: NO_POLL });
    expect(manager.status().ready).toBe(false);
    await scratch.good('late');
    await until(() => manager.status().ready);
  });

  it('polls where no event comes: a directory below one that did not exist', async () => {
    const confDir = join(scratch.root, 'later', 'net.d');
    const manager = await scratch.manager({ confDir, pollMs: 50 });
    await mkdir(confDir, { recursive: true });
    await rename(scratch.confDir, confDir);
    expect(manager.status().ready).toBe(false);
    await mkdir(scratch.confDir);
    await scratch.conf('10-a.conflist', list('a'));
    await rename(join(scratch.confDir, '10-a.conflist'), join(confDir, '10-a.conflist'));
    await until(() => manager.status().network === 'a');
  });

  it('is quiet after close', async () => {
    const manager = await scratch.manager({ pollMs: 20 });
    manager.close();
    await scratch.conf('10-a.conflist', list('a'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(manager.status().ready).toBe(false);
  });
});
