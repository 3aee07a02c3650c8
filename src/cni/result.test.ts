import { describe, expect, it } from '@jest/globals';

import { parseResult, podIps, resultAs } from './result.js';

const FULL = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'cni0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1400, sandbox: '/run/netns/a' },
  ],
  ips: [
    { address: '10.1.0.1/16', interface: 0 },
    { address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 },
    { address: 'fd00::5/64' },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400 }],
  dns: { nameservers: ['10.1.0.1'], domain: 'pods', search: ['a', 'b'], options: ['ndots:5'] },
};

describe('an ADD result', () => {
  it('has one shape', () => {
    const { interfaces, ips, dns } = parseResult(FULL);
    expect(interfaces[1]).toEqual({ name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1400, sandbox: '/run/netns/a' });
    expect(ips[1]).toEqual({ ip: '10.1.0.5', prefix: 16, gateway: '10.1.0.1', interface: interfaces[1] });
    expect(dns).toEqual({ nameservers: ['10.1.0.1'], domain: 'pods', search: ['a', 'b'], options: ['ndots:5'] });
  });

  it('may lack everything, or say null', () => {
    const empty = { interfaces: [], ips: [], dns: { nameservers: [], search: [], options: [] } };
    expect(parseResult({})).toEqual(empty);
    expect(parseResult({ interfaces: null, ips: null, routes: null, dns: null })).toEqual(empty);
  });

  it.each([
    [{ interfaces: {} }, 'interfaces is not a list of objects'],
    [{ interfaces: [{ name: 7 }] }, 'interfaces[0].name is not a string'],
    [{ interfaces: [{ name: 'a', mtu: -1 }] }, 'interfaces[0].mtu is not an unsigned integer'],
    [{ ips: ['10.0.0.1/8'] }, 'ips is not a list of objects'],
    [{ ips: [{}] }, 'ips[0].address'],
    [{ ips: [{ address: '10.0.0.1' }] }, 'ips[0].address "10.0.0.1" is not an address with a prefix'],
    [{ ips: [{ address: '10.0.0.1/33' }] }, 'ips[0].address'],
    [{ ips: [{ address: '10.0.0.256/8' }] }, 'ips[0].address'],
    [{ ips: [{ address: 'fe80::1%eth0/64' }] }, 'ips[0].address'],
    [{ ips: [{ address: 'fd00::1/129' }] }, 'ips[0].address'],
    [{ ips: [{ address: '10.0.0.1/8\nnameserver 6.6.6.6' }] }, 'ips[0].address'],
    [{ ips: [{ address: '10.0.0.1/8', gateway: 'gw' }] }, 'ips[0].gateway is not an address'],
    [{ ips: [{ address: '10.0.0.1/8', interface: 0.5 }] }, 'ips[0].interface is not an unsigned integer'],
    [{ routes: [{ dst: 'default' }] }, 'routes[0].dst'],
    [{ routes: [{ dst: '0.0.0.0/0', gw: 'gw' }] }, 'routes[0].gw is not an address'],
    [{ dns: { nameservers: '10.0.0.1' } }, 'dns.nameservers is not a list of strings'],
    [{ dns: [] }, 'dns is not a list of objects'],
  ])('is refused as %j', (raw, message) => {
    expect(() => parseResult(raw)).toThrow(message);
  });

  it('gives the pod the addresses that are not of host interfaces, in order and once', () => {
    expect(podIps(parseResult(FULL), 'eth0')).toEqual(['10.1.0.5', 'fd00::5']);
    const twice = {
      ips: [
        { address: '10.0.0.2/8' },
        { address: '10.0.0.2/8', interface: -1 },
        { address: '10.0.0.3/8', interface: 9 },
      ],
    };
    expect(podIps(parseResult(twice), 'eth0')).toEqual(['10.0.0.2', '10.0.0.3']);
  });

  it('gives the addresses of the interface that the pod was attached by, and of others only where that has none', () => {
    const interfaces = ['eth0', 'net1', 'cni0'].map((name, index) => ({
      name,
      ...(index < 2 ? { sandbox: '/n' } : {}),
    }));
    const both = [
      { address: '10.2.0.9/16', interface: 1 },
      { address: '10.1.0.5/16', interface: 0 },
      { address: '10.1.0.1/16', interface: 2 },
    ];
    expect(podIps(parseResult({ interfaces, ips: both }), 'eth0')).toEqual(['10.1.0.5']);
    expect(podIps(parseResult({ interfaces, ips: [both[0], both[2]] }), 'eth0')).toEqual(['10.2.0.9']);
    const hosts = [{ name: 'eth0' }, { name: 'eth0', sandbox: '/n' }];
    expect(podIps(parseResult({ interfaces: hosts, ips: both.slice(0, 2) }), 'eth0')).toEqual(['10.2.0.9']);
  });

  it('takes the form of the version that is asked for and keeps what it does not know', () => {
    const old = resultAs({ ...FULL, vendor: { key: 1 } }, '0.3.1');
    expect(old).toMatchObject({ cniVersion: '0.3.1', vendor: { key: 1 } });
    expect((old['ips'] as { version: string }[]).map(({ version }) => version)).toEqual(['4', '4', '6']);
    expect(resultAs(old, '1.1.0')).toEqual({ ...FULL, vendor: { key: 1 } });
  });

  it("is of the network's version where it says none, and refused in one that is not spoken", () => {
    expect(resultAs({}, '0.4.0')).toEqual({ cniVersion: '0.4.0' });
    expect(() => resultAs({ cniVersion: '0.2.0', ip4: { ip: '10.0.0.1/8' } }, '0.4.0')).toThrow('cniVersion 0.2.0');
  });
});
