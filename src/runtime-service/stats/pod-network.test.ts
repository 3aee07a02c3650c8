import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { start } from '../../base/spawn.js';
import { identityOf, useScratch } from '../../base/testing.js';
import { readNetwork } from './pod-network.js';

const scratch = useScratch('pod-network');

/** A shell in a network namespace of its own, once it has said that it is ready. */
async function shellInNetns(setUp: string): Promise<number> {
  const child = start('unshare', ['-n', 'sh', '-c', `${setUp}; echo ready; exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  scratch.defer(() => child.kill('SIGKILL'));
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child.pid ?? 0;
}

describe('readNetwork', () => {
  it('reads the interfaces of a namespace, eth0 first, without loopback', async () => {
    const links = ['net1', 'eth0'].map((name) => `ip link add ${name} type bridge && ip link set ${name} up`);
    const network = await readNetwork(identityOf(await shellInNetns(links.join(' && '))));
    expect(network?.primary.name).toBe('eth0');
    expect(network?.others.map(({ name }) => name)).toEqual(['net1']);
    expect(Number(network?.timestamp)).toBeGreaterThan(0);
  });

  it('has another first one where there is no eth0', async () => {
    const network = await readNetwork(identityOf(await shellInNetns('ip link add net1 type bridge')));
    expect(network).toMatchObject({ primary: { name: 'net1', rxBytes: 0n }, others: [] });
  });

  it('is none with loopback alone', async () => {
    expect(await readNetwork(identityOf(await shellInNetns(':')))).toBeUndefined();
  });

  it('is none of a process that has ended, or whose number is another one now', async () => {
    expect(await readNetwork({ pid: 2 ** 22 + 1, startTime: '1@x' })).toBeUndefined();
    expect(await readNetwork({ pid: process.pid, startTime: '1@x' })).toBeUndefined();
  });
});
