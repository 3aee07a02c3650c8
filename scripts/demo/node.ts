import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { dump } from 'js-yaml';

import { run } from '../../src/base/spawn.js';
import { PROJECT_ROOT } from '../project-root.js';
import { CriClient } from './client.js';

/** A node of its own for the demonstration: directories, a CNI network, cgroups and a gantryd on them. */
export interface DemoNode {
  readonly dir: string;
  readonly socket: string;
  readonly logs: string;
  readonly client: CriClient;
  /** Ends gantryd and removes everything; pods must be gone. */
  close(): Promise<void>;
}

export async function startNode(): Promise<DemoNode> {
  const id = randomBytes(3).toString('hex');
  const dir = await mkdtemp(join(tmpdir(), `gantry-run-${id}-`));
  const socket = join(dir, 'gantry.sock');
  const logs = join(dir, 'logs');
  await Promise.all(['net.d', 'logs', 'netns'].map((name) => mkdir(join(dir, name))));
  await writeFile(join(dir, 'net.d', '10-gantry.conflist'), JSON.stringify(conflist(id, dir)));
  await writeFile(join(dir, 'gantry.yaml'), dump(configuration(id, dir, socket)));
  const child = startDaemon(dir);
  const client = new CriClient(socket);
  await answers({ client, child, dir, socket });
  return { dir, socket, logs, client, close: () => close({ id, dir, child, client }) };
}

/** The log goes to a file: a demonstration is read by people. */
function startDaemon(dir: string): ChildProcess {
  const log = openSync(join(dir, 'gantryd.log'), 'a');
  const gantryd = join(PROJECT_ROOT, 'bin', 'gantryd');
  const child = spawn(gantryd, ['--config', join(dir, 'gantry.yaml')], { stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

function configuration(id: string, dir: string, socket: string): object {
  return {
    root: join(dir, 'root'),
    state: join(dir, 'state'),
    listen: socket,
    cgroup_driver: 'cgroupfs',
    runtime: { cgroup_parent: `/gantry-run-${id}/pods`, monitor_cgroup: `/gantry-run-${id}/monitors` },
    network: { conf_dir: join(dir, 'net.d'), netns_dir: join(dir, 'netns') },
  };
}

function conflist(id: string, dir: string): object {
  const [third = 0] = randomBytes(1);
  const ipam = { type: 'host-local', dataDir: join(dir, 'ipam'), ranges: [[{ subnet: `10.86.${third}.0/24` }]] };
  const routes = [{ dst: '0.0.0.0/0' }];
  return {
    cniVersion: '1.0.0',
    name: `gantry-run-${id}`,
    plugins: [
      { type: 'bridge', bridge: `gantry${id}`, isGateway: true, ipMasq: true, ipam: { ...ipam, routes } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

interface Starting {
  readonly client: CriClient;
  readonly child: ChildProcess;
  readonly dir: string;
  readonly socket: string;
}

const START_TRIES = 1000;

async function answers({ client, child, dir, socket }: Starting): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries++) {
    if (child.exitCode !== null) break;
    // grpc-js waits a second after it found no socket. Status is answered only after recovery, Version before.
    if (existsSync(socket) && (await succeeds(client.call('Status', {})))) return;
    await sleep(10);
  }
  throw new Error(`gantryd does not answer: ${await readFile(join(dir, 'gantryd.log'), 'utf8')}`);
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

async function close(node: { id: string; dir: string; child: ChildProcess; client: CriClient }): Promise<void> {
  const { id, dir, child, client } = node;
  client.close();
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  await run('ip', ['link', 'delete', `gantry${id}`], { timeoutMs: 10_000 });
  await removeCgroups(`gantry-run-${id}`);
  await rm(dir, { recursive: true, force: true });
}

/** On v1 a directory in each hierarchy, on v2 one. */
async function removeCgroups(name: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  for (const [, target = '', type] of mounts) {
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    const top = join(target, name);
    const below: string[] = await readdir(top).catch(() => []);
    for (const child of ['pods', 'monitors'])
      if (below.includes(child)) await rmdir(join(top, child)).catch(() => undefined);
    await rmdir(top).catch(() => undefined);
  }
}
