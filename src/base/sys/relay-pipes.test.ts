import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { until } from '../testing.js';
import { makePipe } from './descriptor.js';
import { RelayPipes } from './relay-pipes.js';

describe('the pipes that a process relays', () => {
  it('are those that it reads beside its stdio, and wake it', async () => {
    const [relayed, own, given] = [makePipe(), makePipe(), makePipe()];
    // 3: a pipe from elsewhere; 4 and 5: both ends of one of its own; 0: its stdin.
    const stdio = [given.read, 'pipe', 'inherit', relayed.read, own.read, own.write] as const;
    // `read <&3` would move its stdin, which looked like a pipe to relay for as long as it reads.
    const script = 'echo ready; read -r -u 3 line; echo "<$line>"; exit 3';
    const child = spawn('bash', ['-c', script], { stdio: [...stdio] });
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said === 'ready\n');
    const pipes = new RelayPipes(child.pid ?? 0);
    expect(pipes.waiting()).toBe(0);
    pipes.interrupt();
    expect(await once(child, 'close')).toEqual([3, null]);
    expect(said).toBe('ready\n<>\n');
    // Nothing to do once it has ended.
    pipes.interrupt();
    expect([pipes.waiting(), new RelayPipes(child.pid ?? 0).waiting()]).toEqual([0, 0]);
    for (const { read, write } of [relayed, own, given]) {
      closeSync(write);
      expect(readSync(read, Buffer.alloc(1))).toBe(0);
      closeSync(read);
    }
  });

  it('tell what waits', async () => {
    const relayed = makePipe();
    const child = spawn('sleep', ['100'], { stdio: ['ignore', 'ignore', 'ignore', relayed.read] });
    const pipes = new RelayPipes(child.pid ?? 0);
    pipes.interrupt();
    expect(pipes.waiting()).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'close');
    await until(() => pipes.waiting() === 0);
    for (const fd of [relayed.read, relayed.write]) closeSync(fd);
  });
});
