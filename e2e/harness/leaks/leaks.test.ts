import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../../../src/base/abort.js';
import { run, runOk, start } from '../../../src/base/spawn.js';
import { createNetns, mount, unmount } from '../../../src/base/sys/sys.js';
import { makeScratch, type Scratch } from '../scratch.js';
import { ownCgroups } from './cgroups.js';
import { assertNothingLeft, findLeaks, snapshot, type Snapshot } from './leaks.js';
import { ownRules } from './network.js';
import { sweep } from './sweep.js';

const ID = '0123456789abcdef'.repeat(4);

describe('leaks', () => {
  let scratch: Scratch;
  let before: Snapshot;
  beforeEach(async () => {
    before = await snapshot();
    scratch = await makeScratch();
  });
  afterEach(async () => {
    await sweep(scratch);
    expect(await run('ls', [scratch.dir], { timeoutMs: 5_000 })).toMatchObject({ exitCode: 2 });
  });

  /** Those of two looks: the chain of a pod elsewhere on the machine is empty for a moment. */
  async function leaks(): Promise<string[]> {
    const first = await findLeaks(scratch, { before });
    await sleep(200);
    const second = await findLeaks(scratch, { before });
    return second.filter((leak) => first.includes(leak));
  }

  function ip(...args: string[]): Promise<unknown> {
    return runOk('ip', args, { timeoutMs: 5_000 });
  }

  function iptables(...args: string[]): Promise<unknown> {
    return runOk('iptables', ['-w', '-t', 'nat', ...args], { timeoutMs: 5_000 });
  }

  async function sleeper(cwd: string): Promise<number> {
    const child = start('sleep', ['60'], { stdio: 'ignore', cwd });
    await new Promise((resolve) => child.once('spawn', resolve));
    return child.pid ?? 0;
  }

  it('are none in a fresh scratch directory', async () => {
    await expect(assertNothingLeft(scratch, { before })).resolves.toBeUndefined();
  });

  it('are processes that work in the directory, but for the expected ones', async () => {
    const pid = await sleeper(scratch.state);
    expect(await leaks()).toEqual([`process ${pid}: sleep 60`]);
    expect(await findLeaks(scratch, { before, expected: [pid] })).toEqual([]);
  });

  it('are processes in the cgroups, and cgroups', async () => {
    const own = await ownCgroups(scratch);
    for (const dir of own.slice(0, 2)) await mkdir(join(dir, 'pod', 'container'), { recursive: true });
    const pid = await sleeper('/');
    // A new cpuset would take none.
    const member = own.find((dir) => !dir.includes('cpuset')) ?? '';
    await writeFile(join(member, 'cgroup.procs'), String(pid));
    const hierarchies = own
      .slice(0, 2)
      .map((dir) => basename(dirname(dir)))
      .join(', ');
    expect(await leaks()).toEqual([
      `process ${pid}: sleep 60`,
      `cgroup ${scratch.cgroup}/pod of ${hierarchies}`,
      `cgroup ${scratch.cgroup}/pod/container of ${hierarchies}`,
    ]);
  });

  it('are not the cgroups that the daemon keeps', async () => {
    const [first = ''] = await ownCgroups(scratch);
    for (const name of ['pods', 'monitors']) await mkdir(join(first, name), { recursive: true });
    expect(await leaks()).toEqual([]);
  });

  it('are mounts', async () => {
    const target = join(scratch.state, 'with space');
    await mkdir(target);
    await mount({ source: 'none', target, type: 'tmpfs', flags: 0, data: '' });
    expect(await leaks()).toEqual([`mount ${target}`]);
  });

  it('are pinned network namespaces and interfaces on the bridge', async () => {
    const pin = join(scratch.netns, 'pod');
    await writeFile(pin, '');
    await createNetns(pin);
    await ip('link', 'add', scratch.bridge, 'type', 'bridge');
    const veth = `v${scratch.bridge.slice(-6)}`;
    await ip('link', 'add', veth, 'type', 'veth', 'peer', 'name', `${veth}p`);
    await ip('link', 'set', veth, 'master', scratch.bridge);
    expect(await leaks()).toEqual([
      `mount ${pin}`,
      `network namespace ${pin}`,
      `interface ${veth} on ${scratch.bridge}`,
    ]);
    await ip('link', 'delete', veth);
    await unmount(pin);
  });

  it('are addresses', async () => {
    const dir = join(scratch.ipam, scratch.network);
    await mkdir(dir);
    for (const name of ['lock', 'last_reserved_ip.0', '10.88.0.2']) await writeFile(join(dir, name), '');
    expect(await leaks()).toEqual(['address 10.88.0.2']);
  });

  it('are records and runtime files named by an id, not those of images', async () => {
    for (const path of [`root/sandboxes/${ID}`, `state/exits/${ID}.old`, `root/images/${ID}`]) {
      await mkdir(join(scratch.dir, path), { recursive: true });
    }
    expect(await leaks()).toEqual([
      `file ${join(scratch.root, 'sandboxes', ID)}`,
      `file ${join(scratch.state, 'exits', `${ID}.old`)}`,
    ]);
  });

  it('are rules that name the network, and empty chains', async () => {
    const chain = `CNI-${randomBytes(12).toString('hex')}`;
    await iptables('-N', chain);
    expect(await leaks()).toEqual([`chain ${chain}`]);
    const comment = `name: "${scratch.network}" id: "${ID}"`;
    await iptables('-A', chain, '-s', `${scratch.subnet}.2`, '-m', 'comment', '--comment', comment, '-j', 'ACCEPT');
    expect(await leaks()).toEqual([expect.stringContaining(`iptables nat -A ${chain} -s ${scratch.subnet}.2/32`)]);
    await sweep(scratch);
    expect(await ownRules(scratch)).toEqual([]);
    expect((await snapshot()).emptyChains).toEqual(before.emptyChains);
  });

  it('are waited for a moment, then named', async () => {
    const pid = await sleeper(scratch.state);
    const failure = assertNothingLeft(scratch, { before });
    await expect(failure).rejects.toThrow(`left behind:\n  process ${pid}: sleep 60`);
  });
});
