import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../../../src/base/abort.js';
import { run, runOk, start } from '../../../src/base/spawn.js';
import { createNetns, mount, unmount } from '../../../src/base/sys/sys.js';
import { makeScratch, type Scratch } from '../scratch.js';
import { patience } from '../settings.js';
import { ownCgroups } from './cgroups.js';
import { assertNothingLeft, findLeaks, snapshot, type Snapshot } from './leaks.js';
import { leakedRules } from './rules.js';
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

  /** The lines that a change comes to, made where the rest of the machine does not see it: in namespaces of its own. */
  async function changedBy(script: string, namespaces: readonly string[] = ['--net']): Promise<string[]> {
    const module = new URL('./leaks.js', import.meta.url).href;
    const program = `
      import { execFileSync } from 'node:child_process';
      import { findChanges, snapshot } from '${module}';
      const before = await snapshot();
      execFileSync('sh', ['-e', '-c', process.argv[1]], { stdio: 'ignore' });
      console.log(JSON.stringify(await findChanges(before)));`;
    const node = [process.execPath, '--input-type=module', '-e', program, script];
    const { stdout } = await runOk('unshare', [...namespaces, '--', ...node], { timeoutMs: patience(60_000) });
    return JSON.parse(stdout.toString()) as string[];
  }

  it('are sysctls, but for what goes by itself or by design', async () => {
    const set = (name: string, value: number): string => `echo ${value} > /proc/sys/net/ipv4/${name};`;
    expect(await changedBy(set('conf/all/log_martians', 1) + set('ip_forward', 1))).toEqual([
      'sysctl net/ipv4/conf/all/log_martians: 0, now 1',
    ]);
    expect(await changedBy('head -c 1 /dev/zero; ls /proc; ip link add x0 type veth peer name x1')).toEqual([]);
  });

  it('are rules of any table, chains and policies, whatever they are named by', async () => {
    const made = await changedBy(`
      iptables -t mangle -A OUTPUT -p tcp -j ACCEPT
      iptables -P FORWARD DROP
      ip6tables -N OURS
      iptables -t nat -N CNI-HOSTPORT-DNAT
      iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
      iptables -t nat -N CNI-0123456789abcdef01234567
      iptables -t nat -A CNI-0123456789abcdef01234567 -d 10.88.1.0/24 -j ACCEPT
      iptables -t nat -A POSTROUTING -m comment --comment 'name: "pods"' -j ACCEPT`);
    expect(made).toEqual(
      [
        'rule iptables mangle -A OUTPUT -p tcp -j ACCEPT',
        'rule iptables filter -P DROP FORWARD',
        'rule iptables nat -N CNI-0123456789abcdef01234567',
        'rule iptables nat -A POSTROUTING -m comment --comment "name: \\"pods\\"" -j ACCEPT',
        'rule iptables nat -A CNI-0123456789abcdef01234567 -d 10.88.1.0/24 -j ACCEPT',
        'rule ip6tables filter -N OURS',
      ].sort(),
    );
  });

  it('are rules that were there and are gone, not those of other suites', async () => {
    const of = (name: string): string => `-m comment --comment 'name: "${name}" id: "${ID}"'`;
    const chain = 'CNI-89abcdef0123456789abcdef';
    const theirs = `
      iptables -t nat -N ${chain}
      iptables -t nat -A POSTROUTING -s 10.88.1.2/32 ${of('gantry-e2e-0a1b2c')} -j ${chain}
      iptables -t nat -A ${chain} -d 10.88.1.0/24 -j ACCEPT
      iptables -t filter -A FORWARD -i gantry0a1b2c -j ACCEPT`;
    expect(await changedBy(theirs)).toEqual([]);
    const [before, after] = [['iptables raw -A OUTPUT -j ACCEPT'], []].map((rules) => new Set<string>(rules));
    expect(leakedRules(before ?? new Set(), after ?? new Set())).toEqual([
      'rule that is gone: iptables raw -A OUTPUT -j ACCEPT',
    ]);
  });

  it('are owners and modes of devices, and devices', async () => {
    // A new /dev, as the machine's own is everybody's.
    const dev =
      'mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; mknod -m 600 /dev/kmsg c 1 11; mkdir /dev/sub';
    const change = `
      import { execFileSync } from 'node:child_process';
      import { leakedDevices, readDevices } from '${new URL('./devices.js', import.meta.url).href}';
      const sh = (script) => execFileSync('sh', ['-e', '-c', script], { stdio: 'ignore' });
      sh(${JSON.stringify(dev)});
      const before = await readDevices();
      sh('chown 1000:1000 /dev/null; chmod 644 /dev/kmsg; mknod /dev/loop9 b 7 9; mknod -m 600 /dev/sub/x c 9 9; mkdir /dev/shm');
      sh('mount -t tmpfs tmpfs /dev/shm; touch /dev/shm/x; rmdir /dev/none 2>/dev/null || true');
      console.log(JSON.stringify(leakedDevices(before, await readDevices())));`;
    const node = [process.execPath, '--input-type=module', '-e', change];
    const { stdout } = await runOk('unshare', ['--mount', '--', ...node], { timeoutMs: patience(60_000) });
    expect(JSON.parse(stdout.toString())).toEqual([
      'device /dev/kmsg: 20600 of 0:0 267, now 20644 of 0:0 267',
      'device /dev/null: 20666 of 0:0 259, now 20666 of 1000:1000 259',
      'device /dev/sub/x: nothing, now 20600 of 0:0 2313',
    ]);
  });

  it('are waited for a moment, then named', async () => {
    const pid = await sleeper(scratch.state);
    const failure = assertNothingLeft(scratch, { before });
    await expect(failure).rejects.toThrow(`left behind:\n  process ${pid}: sleep 60`);
  });
});
