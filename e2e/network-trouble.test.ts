import { rename, rm, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { writeCniNetwork } from './harness/cni-network.js';
import { openHouse, type House } from './harness/house.js';
import { inspectPod, runPod, writePod } from './harness/pods.js';
import { waitFor } from './harness/wait.js';

interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

describe('trouble with the network’s configuration', () => {
  let house: House;
  const file = (name: string): string => join(house.scratch.cniConf, name);
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());
  afterEach(async () => {
    await rm(house.scratch.cniConf, { recursive: true, force: true });
    await mkdir(house.scratch.cniConf);
    await writeCniNetwork(house.scratch);
    await becomes(true);
  });

  async function condition(): Promise<Condition | undefined> {
    const { status } = (await house.crictl.json('info')) as { status: { conditions: Condition[] } };
    return status.conditions.find(({ type }) => type === 'NetworkReady');
  }

  /** Waits until the network is ready or not, without a restart, and returns what the daemon says of it. */
  async function becomes(ready: boolean): Promise<string> {
    return waitFor(`network that is ${ready ? '' : 'not '}ready`, 10_000, async () => {
      const found = await condition();
      return found?.status === ready ? found.message : undefined;
    });
  }

  async function works(): Promise<void> {
    const id = await runPod(house, await writePod(house));
    expect((await inspectPod(house, id)).status.network.ip).toContain(house.scratch.subnet);
    await house.crictl.ok('rmp', '-f', id);
  }

  async function refusal(): Promise<string> {
    const { code, stderr } = await house.crictl.run('runp', (await writePod(house)).path);
    expect(code).not.toBe(0);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    return stderr;
  }

  it('is none while there is another network', async () => {
    await writeFile(file('00-broken.conflist'), '{ "name": ');
    await waitFor('mention of the broken file', 10_000, async () => {
      const { cni } = (await house.crictl.json('info')) as { cni: { broken: { file: string }[] } };
      return JSON.stringify(cni.broken).includes('00-broken.conflist') ? true : undefined;
    });
    expect(await condition()).toMatchObject({ status: true });
    await works();
  });

  it.each([
    ['no JSON', '{ "name": '],
    ['no plugins', '{ "cniVersion": "1.0.0", "name": "x", "plugins": [] }'],
    ['no known version', '{ "cniVersion": "9.0.0", "name": "x", "plugins": [{ "type": "bridge" }] }'],
    ['a plugin outside of its directory', '{ "cniVersion": "1.0.0", "name": "x", "plugins": [{ "type": "../sh" }] }'],
  ])('is told with the file’s name: %s', async (_, text) => {
    await writeFile(file('20-broken.conflist'), text);
    await rm(file('10-e2e.conflist'));
    expect(await becomes(false)).toContain('20-broken.conflist');
    expect(await refusal()).toContain('20-broken.conflist');
    await house.assertEmpty();
  });

  it('is told with the plugin’s name, and undone', async () => {
    const plugins = [{ type: 'no-such-plugin' }];
    await writeFile(file('10-e2e.conflist'), JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins }));
    const said = await waitFor('refusal that names the plugin', 10_000, async () => {
      const { stderr } = await house.crictl.run('runp', (await writePod(house)).path);
      await house.crictl.ok('rmp', '-fa');
      return stderr.includes('no-such-plugin') ? stderr : undefined;
    });
    expect(said).toMatch(/code = (FailedPrecondition|NotFound|Unavailable)/);
    await house.assertEmpty();
  });

  it('is over when a network appears', async () => {
    await rm(file('10-e2e.conflist'));
    expect(await becomes(false)).toContain(house.scratch.cniConf);
    expect(await refusal()).toContain('network');
    await writeCniNetwork(house.scratch);
    await becomes(true);
    await works();
  });

  it('is over when the directory is there again', async () => {
    await rm(house.scratch.cniConf, { recursive: true });
    await becomes(false);
    await mkdir(house.scratch.cniConf);
    await writeCniNetwork(house.scratch);
    await becomes(true);
    await works();
  });

  it('is over when another directory is renamed into place', async () => {
    const aside = `${house.scratch.cniConf}.aside`;
    await rename(house.scratch.cniConf, aside);
    await becomes(false);
    await rename(aside, house.scratch.cniConf);
    await becomes(true);
    await works();
  });

  it('does not keep a pod from being removed', async () => {
    const id = await runPod(house, await writePod(house));
    await rm(file('10-e2e.conflist'));
    await becomes(false);
    await house.crictl.ok('rmp', '-f', id);
    await house.assertEmpty();
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
