/**
 * The main job, shown: a pod from an image that needs no network, its address, its log and a command in it. Stays up
 * for a look around, or with --once cleans up and exits.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { PROJECT_ROOT } from '../project-root.js';
import { startNode, type DemoNode } from './node.js';

const IMAGE = 'gantry.local/hello:latest';
const LAYOUT = join(PROJECT_ROOT, 'build', 'images', 'hello');

async function main(): Promise<void> {
  const once = process.argv.includes('--once');
  const node = await timed('gantryd started', startNode);
  let pod: string | undefined;
  try {
    pod = await showPod(node);
    if (!once) await stayUp(node);
  } finally {
    await timed('stopped and removed everything', () => cleanUp(node, pod));
  }
}

async function showPod(node: DemoNode): Promise<string> {
  const { client } = node;
  await timed(`imported ${IMAGE}`, () => client.admin('ImportImage', { path: LAYOUT }));
  const config = podConfig(node);
  await mkdir(config.logDirectory);
  const sandbox = await timed('pod sandbox running', () => client.call('RunPodSandbox', { config }));
  const podSandboxId = sandbox.podSandboxId ?? '';
  const container = await timed('container created', () =>
    client.call('CreateContainer', { podSandboxId, config: CONTAINER, sandboxConfig: config }),
  );
  const containerId = container.containerId ?? '';
  await timed('container started', () => client.call('StartContainer', { containerId }));
  const { status } = await client.call('PodSandboxStatus', { podSandboxId });
  print('pod IP', status?.network?.ip ?? '');
  print('log', await firstLogLine(join(config.logDirectory, CONTAINER.logPath)));
  const exec = await timed('exec: uname -n', () => client.call('ExecSync', { containerId, cmd: ['uname', '-n'] }));
  print(
    'exec output',
    Buffer.from(exec.stdout ?? [])
      .toString()
      .trim(),
  );
  return podSandboxId;
}

const CONTAINER = { metadata: { name: 'hello', attempt: 0 }, image: { image: IMAGE }, logPath: 'hello.log', linux: {} };

function podConfig(node: DemoNode) {
  const metadata = { name: 'hello', namespace: 'default', uid: randomUUID(), attempt: 0 };
  return { metadata, hostname: 'hello', logDirectory: join(node.logs, `default_hello_${metadata.uid}`), linux: {} };
}

async function firstLogLine(path: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'));
    await sleep(20);
  }
  throw new Error(`nothing was logged to ${path}`);
}

async function stayUp(node: DemoNode): Promise<void> {
  print('talk to it', `crictl --runtime-endpoint unix://${node.socket} ps`);
  print('gantryd log', join(node.dir, 'gantryd.log'));
  print('end it', 'Ctrl-C');
  // A timer keeps the process; signals alone do not.
  const alive = setInterval(() => undefined, 1 << 30);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  clearInterval(alive);
}

async function cleanUp(node: DemoNode, pod: string | undefined): Promise<void> {
  const pods =
    pod === undefined ? ((await node.client.call('ListPodSandbox', {})).items ?? []).map(({ id }) => id ?? '') : [pod];
  for (const podSandboxId of pods) {
    await node.client.call('StopPodSandbox', { podSandboxId });
    await node.client.call('RemovePodSandbox', { podSandboxId });
  }
  await node.close();
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  const result = await work();
  print(what, `${Math.round(performance.now() - begin)} ms`);
  return result;
}

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(34)} ${value}\n`);
}

// A reader that goes away (`make run | head`) is no reason to leave a pod behind.
process.stdout.on('error', () => undefined);
await main();
