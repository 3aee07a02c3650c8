import { describe, expect, it } from '@jest/globals';

import { capabilityArgs, runtimeConfigFor } from './capabilities.js';
import type { PodNetworkRequest, PortMapping } from './pod-request.js';
import { pod } from './testing.js';

const mapping = (more: Partial<PortMapping>): Partial<PodNetworkRequest> => ({
  portMappings: [{ protocol: 'tcp', containerPort: 80, hostPort: 8080, hostIp: '', ...more }],
});

describe('capabilities', () => {
  it('are written as the conventions have them', () => {
    const bandwidth = { ingressRate: 1_000, ingressBurst: 2_000, egressRate: 0, egressBurst: 0 };
    const request = pod({
      ...mapping({ hostIp: '192.0.2.1' }),
      bandwidth,
      dns: { servers: ['192.0.2.53'], searches: ['svc.local'], options: [] },
      ipRanges: [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.3' }]],
      ips: ['10.1.2.9'],
      mac: '02:00:00:00:00:01',
      aliases: ['web'],
      cgroupPath: '/kubepods/pod1',
      annotations: { 'example.com/vlan': '7' },
    });
    expect(capabilityArgs(request)).toEqual({
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '192.0.2.1' }],
      bandwidth,
      dns: { servers: ['192.0.2.53'], searches: ['svc.local'], options: [] },
      ipRanges: [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.3' }]],
      ips: ['10.1.2.9'],
      mac: '02:00:00:00:00:01',
      aliases: ['web'],
      cgroupPath: '/kubepods/pod1',
      'io.kubernetes.cri.pod-annotations': { 'example.com/vlan': '7' },
    });
  });

  it('leave out what the pod does not use, and ports without a host port', () => {
    expect(capabilityArgs(pod())).toEqual({});
    expect(capabilityArgs(pod({ ...mapping({ hostPort: 0 }), aliases: [], annotations: {} }))).toEqual({});
  });

  it.each([
    [{ hostPort: 65_536 }, 'port mapping tcp 65536:80: the host port is not between'],
    [{ hostPort: -1 }, 'the host port is not between'],
    [{ containerPort: 0 }, 'the container port is not between'],
    [{ hostIp: 'localhost' }, 'host ip "localhost" is no address'],
  ])('refuse the mapping %j', (more, message) => {
    expect(() => capabilityArgs(pod(mapping(more)))).toThrow(message);
  });

  it('reach only the plugin that declares them', () => {
    const args = { mac: 'm', aliases: ['a'], bandwidth: {} };
    const capabilities = { mac: true, aliases: false, ips: true };
    expect(runtimeConfigFor({ type: 'a', capabilities }, args)).toEqual({ mac: 'm' });
    expect(runtimeConfigFor({ type: 'a', capabilities: { ips: true } }, args)).toBeUndefined();
    expect(runtimeConfigFor({ type: 'a' }, args)).toBeUndefined();
  });
});
