import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rename, rm, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { writeCniNetwork } from './harness/cni-network.js';
import { openHouse, type House } from './harness/house.js';
import { bridgePorts } from './harness/leaks/network.js';
import { BUSYBOX, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { freePort } from './harness/ports.js';
import { patience } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly message: string;
}

describe('the network’s configuration, and trouble with it', () => {
  let house: House;
  const file = (name: string): string => join(house.scratch.cniConf, name);
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
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

  describe('with two families, ports and bandwidth', () => {
    let before: string;
    beforeAll(async () => {
      before = await command('ip', '-o', 'link', 'show', 'type', 'ifb');
    });
    afterAll(async () => {
      expect(await command('ip6tables-save')).not.toContain(house.scratch.network);
      expect(await command('ip', '-o', 'link', 'show', 'type', 'ifb')).toBe(before);
    });

    /** Makes it the network of pods; the families in this order. */
    async function dualStack(order: readonly (4 | 6)[]): Promise<void> {
      const { network: name, bridge, ipam: dataDir, subnet } = house.scratch;
      const ranges = order.map((family) => [{ subnet: family === 4 ? `${subnet}.0/24` : `${prefix6()}/64` }]);
      const ipam = { type: 'host-local', dataDir, ranges, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] };
      const plugins = [
        { type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ];
      // A pod waits for no event: the directory itself tells that it has changed.
      await writeFile(file('new'), JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
      await rename(file('new'), file('10-e2e.conflist'));
    }

    /** Like the subnet, nobody else's here. No group may be zero: plugins would write it shorter (RFC 5952, 4.2). */
    const prefix6 = (): string => `fd00:${house.scratch.subnet.split('.').slice(1).join(':1')}::`;

    async function addresses(id: string): Promise<string[]> {
      const { status } = (await house.crictl.json('inspectp', id)) as {
        status: { network: { ip: string; additionalIps: { ip: string }[] } };
      };
      return [status.network.ip, ...status.network.additionalIps.map(({ ip }) => ip)];
    }

    /** A pod that answers HTTP on port 80 and UDP on port 9000 with a word. */
    async function serving(word: string, fields: object): Promise<string> {
      const pod = await writePod(house, fields);
      const id = await runPod(house, pod);
      const mounts = [{ container_path: '/host', host_path: '/', readonly: true }];
      const script = `require('http').createServer((_, answer) => answer.end('${word}')).listen(80, '::');
        const socket = require('dgram').createSocket('udp6');
        socket.on('message', (_, from) => socket.send('${word}', from.port, from.address)).bind(9000)`;
      const fieldsOf = { mounts, command: ['chroot', '/host', process.execPath, '-e', script] };
      await runContainer(house, id, { pod, container: await writeContainer(house, fieldsOf) });
      return id;
    }

    const get = async (place: string): Promise<string> =>
      (await fetch(`http://${place}/`, { signal: AbortSignal.timeout(patience(2_000)) })).text();
    const becomesWord = (place: string, word: string): Promise<true> =>
      waitFor(`"${word}" at ${place}`, 10_000, async () => ((await get(place)) === word ? true : undefined));

    it('gives both addresses, in the order of the network', async () => {
      const { subnet } = house.scratch;
      const found: string[][] = [];
      for (const order of [
        [4, 6],
        [6, 4],
      ] as const) {
        await dualStack(order);
        const id = await runPod(house, await writePod(house));
        found.push(await addresses(id));
        await house.crictl.ok('rmp', '-f', id);
      }
      const [v4, v6] = [expect.stringContaining(`${subnet}.`), expect.stringContaining(prefix6())];
      expect(found).toEqual([
        [v4, v6],
        [v6, v4],
      ]);
    });

    it('publishes ports by address, protocol and family', async () => {
      await dualStack([4, 6]);
      const [web, local, udp, sctp] = [await freePort(), await freePort(), await freePort(), await freePort()];
      const id = await serving('first', {
        port_mappings: [
          { container_port: 80, host_port: web, protocol: 0 },
          { container_port: 80, host_port: local, protocol: 0, host_ip: '127.0.0.1' },
          { container_port: 9000, host_port: udp, protocol: 1 },
          { container_port: 9001, host_port: sctp, protocol: 2 },
        ],
      });
      const gateway = `${house.scratch.subnet}.1`;
      await becomesWord(`127.0.0.1:${web}`, 'first');
      await becomesWord(`${gateway}:${web}`, 'first');
      await becomesWord(`[${prefix6()}1]:${web}`, 'first');
      await becomesWord(`127.0.0.1:${local}`, 'first');
      await expect(get(`${gateway}:${local}`)).rejects.toThrow('fetch failed');
      expect(await askUdp(udp)).toBe('first');
      await expect(get(`127.0.0.1:${udp}`)).rejects.toThrow('fetch failed');
      expect(await command('iptables-save', '-t', 'nat')).toMatch(
        new RegExp(`-p sctp .*--dport ${sctp} .*--to-destination ${(await addresses(id))[0]}:9001`),
      );
      await house.crictl.ok('rmp', '-f', id);
      await expect(get(`127.0.0.1:${web}`)).rejects.toThrow('fetch failed');
    });

    it('leaves a port to the first of two pods, and then to the second', async () => {
      await dualStack([4, 6]);
      const port_mappings = [{ container_port: 80, host_port: await freePort(), protocol: 0 }];
      const place = `127.0.0.1:${port_mappings[0]?.host_port ?? 0}`;
      const first = await serving('first', { port_mappings });
      await becomesWord(place, 'first');
      const second = await serving('second', { port_mappings });
      await becomesWord((await addresses(second))[0] ?? '', 'second');
      expect(await get(place)).toBe('first');
      await house.crictl.ok('rmp', '-f', first);
      await becomesWord(place, 'second');
      await house.crictl.ok('rmp', '-f', second);
    });

    it('limits the bandwidth of a pod that asks for it', async () => {
      await dualStack([4, 6]);
      const annotations = { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '20M' };
      const id = await runPod(house, await writePod(house, { annotations }));
      const rates = (await command('tc', 'qdisc', 'show')).matchAll(/qdisc tbf \S+ dev (\S+) .*rate (\S+)/g);
      const [port = ''] = await bridgePorts(house.scratch);
      const found = new Map([...rates].map(([, dev, rate]) => [dev, rate]));
      expect(found.get(port)).toBe('10Mbit');
      expect([...found.values()]).toContain('20Mbit');
      await house.crictl.ok('rmp', '-f', id);
      expect(await command('tc', 'qdisc', 'show')).not.toContain(port);
    });
  });

  it('leaves nothing behind', () => house.assertEmpty());
});

async function command(name: string, ...args: string[]): Promise<string> {
  return (await runOk(name, args, { timeoutMs: patience(10_000) })).stdout.toString();
}

/** The answer to a datagram sent to a port of this machine. */
async function askUdp(port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(patience(5_000)) });
    socket.send('?', port, '127.0.0.1');
    const [message] = (await answer) as [Buffer];
    return message.toString();
  } finally {
    socket.close();
  }
}
