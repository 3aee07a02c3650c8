import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { unmount } from '../base/sys/sys.js';
import type { CniManager } from './manager.js';
import { command, pod, Scratch } from './testing.js';

const BIN = '/usr/lib/cni';

/** The plugins of the distribution in namespaces of the test's own. */
describe('real plugins', () => {
  let scratch: Scratch;
  let bridge: string;

  beforeEach(async () => {
    scratch = await Scratch.make();
    bridge = `gcni${newId().slice(0, 8)}`;
    scratch.defer(() => command('ip', 'link', 'del', bridge).catch(() => undefined));
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  interface Network {
    readonly cniVersion?: string;
    readonly more?: object[];
    readonly ranges?: object[][];
    readonly ipMasq?: boolean;
  }

  async function openWith(network: Network = {}): Promise<CniManager> {
    const { cniVersion = '1.0.0', more = [], ranges = [[{ subnet: subnet() }]], ipMasq = true } = network;
    const ipam = { type: 'host-local', dataDir: join(scratch.root, 'ipam'), ranges, routes: [{ dst: '0.0.0.0/0' }] };
    const first = { type: 'bridge', bridge, isGateway: true, ipMasq, ipam };
    await scratch.conf('10-net.conflist', { cniVersion, name: `net-${bridge}`, plugins: [first, ...more] });
    return scratch.manager({ binDirs: [BIN] });
  }

  async function leases(): Promise<string[]> {
    const names = await readdir(join(scratch.root, 'ipam', `net-${bridge}`));
    return names.filter((name) => /^[0-9a-f]/.test(name) && !name.startsWith('last'));
  }

  async function inside(netns: string, ...args: string[]): Promise<string> {
    return command('nsenter', `--net=${netns}`, ...args);
  }

  it.each(['0.3.1', '0.4.0', '1.0.0'])('adds, checks and removes a pod with %s', async (version) => {
    const manager = await openWith({ cniVersion: version });
    expect(manager.status()).toMatchObject({ ready: true, network: `net-${bridge}` });
    const request = pod({ netnsPath: await scratch.netns() });

    const network = await manager.setUp(request);

    expect(network.result).toMatchObject({ cniVersion: version });
    expect(await inside(request.netnsPath, 'ip', '-4', '-o', 'addr', 'show', 'eth0')).toContain(`${network.ips[0]}/24`);
    expect(await leases()).toEqual(network.ips);
    expect(await command('iptables-save', '-t', 'nat')).toContain(request.sandboxId);
    await manager.check(request.sandboxId);

    await manager.tearDown(request.sandboxId, request.netnsPath);

    expect(await leases()).toEqual([]);
    expect(await manager.records()).toEqual([]);
    expect(await command('iptables-save', '-t', 'nat')).not.toContain(request.sandboxId);
    expect(await inside(request.netnsPath, 'ip', '-o', 'link')).not.toContain('eth0');
  });

  it('notices with CHECK that the interface was taken away', async () => {
    const manager = await openWith({ ipMasq: false });
    const request = pod({ netnsPath: await scratch.netns() });
    await manager.setUp(request);
    await inside(request.netnsPath, 'ip', 'link', 'del', 'eth0');
    await expect(manager.check(request.sandboxId)).rejects.toMatchObject({ plugin: 'bridge' });
    await manager.tearDown(request.sandboxId, request.netnsPath);
  });

  it('maps ports of the host and takes them back', async () => {
    const portmap = { type: 'portmap', capabilities: { portMappings: true } };
    const manager = await openWith({ more: [portmap] });
    const mapping = { protocol: 'tcp', containerPort: 80, hostPort: 41_873, hostIp: '' } as const;
    const request = pod({ netnsPath: await scratch.netns(), portMappings: [mapping] });

    const { ips } = await manager.setUp(request);
    const rules = await command('iptables-save', '-t', 'nat');
    expect(rules).toMatch(new RegExp(`--dport 41873 .*--to-destination ${ips[0]}:80`));

    await manager.tearDown(request.sandboxId, request.netnsPath);
    expect(await command('iptables-save', '-t', 'nat')).not.toContain('41873');
  });

  it('hands over tuning, an address of each family, and the primary one first', async () => {
    const tuning = { type: 'tuning', capabilities: { mac: true } };
    const manager = await openWith({ more: [tuning], ranges: [[{ subnet: subnet() }], [{ subnet: 'fd00:71::/64' }]] });
    const request = pod({ netnsPath: await scratch.netns(), mac: '02:00:00:00:47:01' });
    const { ips } = await manager.setUp(request);
    expect(ips).toEqual([expect.stringMatching(/^10\.201\./), expect.stringMatching(/^fd00:71::/)]);
    expect(await inside(request.netnsPath, 'ip', '-o', 'link', 'show', 'eth0')).toContain('02:00:00:00:47:01');
    await manager.tearDown(request.sandboxId, request.netnsPath);
  });

  it('frees the address when the namespace is gone, and removes twice', async () => {
    // The bridge plugin finds its masquerade rules only by the addresses inside the namespace.
    const manager = await openWith({ ipMasq: false });
    const request = pod({ netnsPath: await scratch.netns() });
    await manager.setUp(request);
    await unmount(request.netnsPath, { detach: true });

    await manager.tearDown(request.sandboxId, undefined);
    await manager.tearDown(request.sandboxId, undefined);

    expect(await leases()).toEqual([]);
    expect(await manager.records()).toEqual([]);
  });

  it('leaves nothing when a later plugin of the chain fails', async () => {
    const manager = await openWith({ more: [{ type: 'tuning', sysctl: { 'net.no.such.key': '1' } }] });
    const request = pod({ netnsPath: await scratch.netns() });
    await expect(manager.setUp(request)).rejects.toMatchObject({ plugin: 'tuning' });
    expect(await leases()).toEqual([]);
    expect(await manager.records()).toEqual([]);
    expect(await inside(request.netnsPath, 'ip', '-o', 'link')).not.toContain('eth0');
  });

  it('gives pods that start side by side an address each', async () => {
    const manager = await openWith();
    const requests = await Promise.all(
      Array.from({ length: 5 }, async () => pod({ netnsPath: await scratch.netns() })),
    );
    const networks = await Promise.all(requests.map((request) => manager.setUp(request)));
    expect(new Set(networks.map(({ ips }) => ips[0])).size).toBe(5);
    await Promise.all(requests.map(({ sandboxId, netnsPath }) => manager.tearDown(sandboxId, netnsPath)));
    expect(await leases()).toEqual([]);
  });
});

/** A subnet that tests running side by side are unlikely to share. */
function subnet(): string {
  return `10.201.${Math.floor(Math.random() * 256)}.0/24`;
}
