import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { directoryStamp, loadNetworks } from './load-networks.js';
import { command, Scratch } from './testing.js';

const list = (name: string, more: object = {}): object => ({
  cniVersion: '1.0.0',
  name,
  plugins: [{ type: 'a' }],
  ...more,
});

describe('loading networks', () => {
  let scratch: Scratch;

  beforeEach(async () => {
    scratch = await Scratch.make();
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  it('goes by name over the three extensions', async () => {
    await scratch.conf('30-c.json', list('c'));
    await scratch.conf('20-b.conf', { cniVersion: '0.3.1', name: 'b', type: 'ptp' });
    await scratch.conf('10-a.conflist', list('a'));
    await scratch.conf('05-x.conflist.bak', list('x'));
    await scratch.conf('06-y.yaml', list('y'));
    const { networks, broken } = await loadNetworks(scratch.confDir);
    expect(networks.map(({ file, config }) => [file, config.name])).toEqual([
      ['10-a.conflist', 'a'],
      ['20-b.conf', 'b'],
      ['30-c.json', 'c'],
    ]);
    expect(broken).toEqual([]);
  });

  it('names the broken files and uses the others', async () => {
    await scratch.conf('10-cut.conflist', '{"cniVersion": "1.0.0", "na');
    await scratch.conf('20-list.conflist', '[]');
    await scratch.conf('30-huge.conflist', ' '.repeat((1 << 20) + 1));
    await command('mkfifo', join(scratch.confDir, '40-fifo.conflist'));
    await symlink('/nowhere', join(scratch.confDir, '50-dangling.conflist'));
    await scratch.conf('60-good.conflist', list('good'));
    const { networks, broken } = await loadNetworks(scratch.confDir);
    expect(networks.map(({ config }) => config.name)).toEqual(['good']);
    expect(broken.map(({ file }) => file.slice(0, 2))).toEqual(['10', '20', '30', '40', '50']);
    const errors = broken.map(({ error }) => error);
    expect(errors[0]).toContain('10-cut.conflist is not JSON');
    expect(errors[1]).toContain('is not a JSON object');
    expect(errors[2]).toContain('larger than 1 MiB');
    expect(errors[3]).toContain('is not a file');
    expect(errors[4]).toContain('ENOENT');
  });

  it('appends the plugins of the folder named as the network, unless it must not', async () => {
    const folder = join(scratch.confDir, 'pods');
    await mkdir(folder);
    await writeFile(join(folder, '20-z.conf'), JSON.stringify({ type: 'z' }));
    await writeFile(join(folder, '10-y.conf'), JSON.stringify({ type: 'y' }));
    await scratch.conf('10-pods.conflist', list('pods'));
    await scratch.conf('20-pods.conflist', list('pods', { loadOnlyInlinedPlugins: true }));
    await scratch.conf('30-pods.conflist', list('pods', { plugins: undefined }));
    const { networks } = await loadNetworks(scratch.confDir);
    const types = networks.map(({ config }) => config.plugins.map(({ type }) => type));
    expect(types).toEqual([['a', 'y', 'z'], ['a'], ['y', 'z']]);
  });

  it('finds nothing where there is no directory, and says when it is none', async () => {
    expect(await loadNetworks(join(scratch.root, 'none'))).toEqual({ networks: [], broken: [], stamp: '' });
    const file = join(scratch.root, 'file');
    await writeFile(file, '');
    const { broken } = await loadNetworks(file);
    expect(broken).toEqual([{ file, error: expect.stringContaining('ENOTDIR') }]);
  });

  it('has a stamp that changes with names and with the directory', async () => {
    const first = await directoryStamp(scratch.confDir);
    expect(await directoryStamp(scratch.confDir)).toBe(first);
    await rename(scratch.confDir, `${scratch.confDir}.old`);
    await mkdir(scratch.confDir);
    const second = await directoryStamp(scratch.confDir);
    expect(second).not.toBe(first);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await scratch.conf('10-a.conflist', list('a'));
    expect(await directoryStamp(scratch.confDir)).not.toBe(second);
  });
});
