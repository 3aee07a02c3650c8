import { createHash } from 'node:crypto';
import { symlink } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, until, useScratch } from '../../../base/testing.js';
import { stopContainer } from '../../container/stop.js';
import { ContainerWorld } from '../../container/testing.js';
import type { ContainerConfig } from '../../container/types.js';
import { startContainer } from '../../container/start.js';
import type { StreamingBackend } from '../types.js';
import { ClientOutput } from './client-output.js';
import { createStreamingBackend } from './index.js';
import { TestOutput, TestSession } from './testing.js';

const scratch = useScratch('attach');
let own: ContainerWorld;
let backend: StreamingBackend;
let sandbox: string;

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  for (const name of ['stty', 'wc', 'seq', 'dd']) await symlink('busybox', scratch.path('image', 'bin', name));
  sandbox = await own.sandbox();
  backend = createStreamingBackend(own.context);
});

function attach(containerId: string, session: TestSession): Promise<void> {
  const streams = { stdin: session.stdin !== undefined, stdout: true, stderr: session.stderr !== undefined };
  return backend.attach({ kind: 'attach', containerId, ...streams, tty: !session.stderr }, session);
}

const create = (script: string, more: Partial<ContainerConfig> = {}): Promise<string> =>
  own.create(sandbox, { command: ['sh', '-c', script], ...more });

describe('attach', () => {
  it('brings all clients all output, and ends with the container', async () => {
    const id = await create('seq 1 30000; echo err >&2; exit 3');
    const clients = [new TestSession(), new TestSession(), new TestSession()];
    const ended = clients.map((client) => attach(id, client));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await startContainer(own.context, id);
    await Promise.all(ended);
    const all = Array.from({ length: 30_000 }, (_, index) => `${index + 1}\n`).join('');
    for (const { stdout, stderr } of clients) expect([stdout.text === all, stderr?.text]).toEqual([true, 'err\n']);
    expect(await own.exit(id)).toMatchObject({ exitCode: 3 });
    expect(await rejection(attach(id, new TestSession()))).toMatchObject({ code: 'failed-precondition' });
    expect((await rejection(attach('none', new TestSession()))).code).toBe('not-found');
  });

  it('hands input on, much of it, and ends it with its first client’s (stdin_once)', async () => {
    const id = await create('wc -c; echo over', { stdin: true, stdinOnce: true });
    await startContainer(own.context, id);
    const listener = new TestSession();
    const listening = attach(id, listener);
    const passerBy = new TestSession();
    const passing = attach(id, passerBy);
    passerBy.leave();
    await passing;
    const session = new TestSession({ stdin: true });
    const ended = attach(id, session);
    session.stdin?.end(Buffer.alloc(1 << 20, 'x'));
    await Promise.all([ended, listening]);
    expect([session.stdout.text, listener.stdout.text]).toEqual(['1048576\nover\n', '1048576\nover\n']);
  });

  it('ends the input with a client that goes (stdin_once)', async () => {
    const id = await create('cat; echo over; sleep 0.5', { stdin: true, stdinOnce: true });
    await startContainer(own.context, id);
    const session = new TestSession({ stdin: true });
    const ended = attach(id, session);
    session.type('a\n');
    await session.stdout.says(/a\n/);
    session.leave();
    await ended;
    await own.exit(id);
    expect(await own.log(id)).toEqual(['stdout F a', 'stdout F over']);
  });

  it('leaves the input open for the next client', async () => {
    const id = await create('while read -r line; do echo "got $line"; done; echo over', { stdin: true });
    await startContainer(own.context, id);
    for (const word of ['one', 'two']) {
      const session = new TestSession({ stdin: true });
      const ended = attach(id, session);
      session.stdin?.end(`${word}\n`);
      await ended;
      expect(session.stdout.text).toBe(`got ${word}\n`);
    }
    expect(own.get(id).status.state).toBe('running');
    await stopContainer(own.context, id, 0);
  });

  it.each([
    { stdin: true, stdinOnce: false, tty: false, ends: 'client' },
    { stdin: true, stdinOnce: true, tty: false, ends: 'container' },
    { stdin: true, stdinOnce: false, tty: true, ends: 'client' },
    { stdin: true, stdinOnce: true, tty: true, ends: 'client' },
    { stdin: false, stdinOnce: false, tty: false, ends: 'container' },
    { stdin: false, stdinOnce: false, tty: true, ends: 'container' },
  ])(
    'ends with a client’s input the visit of the $ends: stdin $stdin, once $stdinOnce, tty $tty',
    async ({ ends, ...streams }) => {
      const id = await create('cat > /dev/shm/input; exec sleep 300', streams);
      await startContainer(own.context, id);
      const session = new TestSession({ stdin: true, tty: streams.tty });
      const ended = attach(id, session);
      session.stdin?.end('x'.repeat(3_000));
      if (ends === 'client') await ended;
      else await stopContainer(own.context, id, 0);
      await ended;
      expect(own.get(id).status.state).toBe(ends === 'client' ? 'running' : 'exited');
      if (ends === 'client') await stopContainer(own.context, id, 0);
    },
  );

  it('drops input that a container does not take', async () => {
    const id = await create('echo ready; read -r x; echo "end $x"; exec sleep 300');
    const session = new TestSession({ stdin: true });
    const ended = attach(id, session);
    await startContainer(own.context, id);
    await session.stdout.says(/end \n/);
    session.stdin?.end(Buffer.alloc(1 << 20));
    await until(() => session.stdin?.readableEnded);
    session.leave();
    await ended;
  });

  it('is a terminal of the client’s size, and survives its leaving', async () => {
    const sizes = 'exec 3<&0; while :; do stty size <&3; sleep 0.2; done &';
    const script = `${sizes} while read -r x; do echo "got $x"; done`;
    const id = await create(script, { stdin: true, stdinOnce: true, tty: true });
    await startContainer(own.context, id);
    const first = new TestSession({ stdin: true, tty: true });
    const ended = attach(id, first);
    for (let width = 80; width <= 120; width++) first.resize(width, 40);
    await first.stdout.says(/40 120\r\n/);
    first.type('a\r');
    await first.stdout.says(/got a\r\n/);
    first.leave();
    await ended;
    const second = new TestSession({ stdin: true, tty: true });
    const after = attach(id, second);
    second.resize(2_000, 41);
    await second.stdout.says(/41 1000\r\n/);
    second.type('b\r');
    await second.stdout.says(/got b\r\n/);
    await stopContainer(own.context, id, 0);
    await after;
  });

  it('lets a client go that does not take its output, and never the container wait', async () => {
    const id = await create(
      'dd if=/dev/zero bs=65536 count=400 2>/dev/null; echo done > /dev/shm/done; exec sleep 300',
      {
        logPath: '',
      },
    );
    const [slow, quick] = [new TestSession(), new TestSession()];
    slow.stdout.hold();
    const lost = rejection(attach(id, slow));
    const ended = attach(id, quick);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await startContainer(own.context, id);
    expect(await lost).toMatchObject({ code: 'resource-exhausted' });
    await until(() => quick.stdout.bytes === 65_536 * 400);
    expect(createHash('sha256').update(quick.stdout.all).digest('hex')).toBe(
      createHash('sha256')
        .update(Buffer.alloc(65_536 * 400))
        .digest('hex'),
    );
    await stopContainer(own.context, id, 0);
    await ended;
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });
});

describe('the output to a client', () => {
  it('is lost when nothing of it is taken for a while', async () => {
    const sink = new TestOutput();
    sink.hold();
    const output = new ClientOutput(sink, 'c', { bytes: 1 << 20, stallMs: 50 });
    output.push(Buffer.alloc(100_000));
    output.push(Buffer.alloc(10));
    const error = await rejection(output.flushed());
    expect(error).toMatchObject({ code: 'resource-exhausted', message: expect.stringContaining('container "c"') });
    output.close();
  });

  it('waits for a client that rests, and goes to none at all', async () => {
    const sink = new TestOutput();
    sink.hold();
    const output = new ClientOutput(sink, 'c');
    for (let count = 0; count < 50; count++) output.push(Buffer.alloc(10_000, String(count % 10)));
    const flushed = output.flushed();
    sink.letGo();
    await flushed;
    output.close();
    expect(sink.bytes).toBe(500_000);
    const none = new ClientOutput(undefined, 'c');
    none.push(Buffer.alloc(10));
    await none.flushed();
  });
});
