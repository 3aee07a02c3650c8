import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readdir, rm, symlink, writeFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, until, useScratch } from '../../../base/testing.js';
import { execSync } from '../../container/exec-sync.js';
import { stopContainer } from '../../container/stop.js';
import { RUNC } from '../../../oci/testing.js';
import { ContainerWorld } from '../../container/testing.js';
import type { ExecTarget, StreamingBackend } from '../types.js';
import { createStreamingBackend } from './index.js';
import { TestSession } from './testing.js';

const scratch = useScratch('exec');
let own: ContainerWorld;
let backend: StreamingBackend;
let id: string;

/** While it is there, the runtime fails. */
const broken = (): string => scratch.path('broken');

beforeEach(async () => {
  const body = `if [ -e ${broken()} ]; then echo secret >&2; exit 255; fi; exec ${RUNC} "$@"`;
  own = await ContainerWorld.make(scratch, { runtimePath: await scratch.script('breakable', body) });
  for (const name of ['stty', 'nohup', 'sha256sum', 'wc', 'dd', 'tty', 'seq'])
    await symlink('busybox', scratch.path('image', 'bin', name));
  id = await own.run(await own.sandbox(), 'exec sleep 300');
  backend = createStreamingBackend(own.context);
});

function exec(session: TestSession, script: string, more: Partial<ExecTarget> = {}): Promise<{ exitCode: number }> {
  const streams = { stdin: session.stdin !== undefined, stdout: true, stderr: session.stderr !== undefined };
  const target = { kind: 'exec', containerId: id, command: ['sh', '-c', script], ...streams } as const;
  return backend.exec({ ...target, tty: session.stderr === undefined, ...more }, session);
}

async function execCgroups(): Promise<string[]> {
  const { status } = own.get(id);
  const entries = status.state === 'running' ? await readdir(status.processes.cgroupDir) : [];
  return entries.filter((name) => name.startsWith('exec-'));
}

async function processes(): Promise<string> {
  const request = { containerId: id, command: ['ps', '-o', 'args'], timeoutSeconds: 20 };
  return (await execSync(own.context, request, new AbortController().signal)).stdout.toString();
}

describe('exec without a terminal', () => {
  it('carries both outputs, the exit code and the input with its end', async () => {
    const session = new TestSession({ stdin: true });
    const ended = exec(session, 'echo begin; cat; echo err >&2; exit 7');
    await session.stdout.says(/begin/);
    session.type('typed\n');
    session.stdin?.end();
    expect(await ended).toEqual({ exitCode: 7 });
    expect([session.stdout.text, session.stderr?.text]).toEqual(['begin\ntyped\n', 'err\n']);
    expect(await exec(new TestSession(), 'kill -9 $$')).toEqual({ exitCode: 137 });
    expect(await execCgroups()).toEqual([]);
  });

  it('gives the command pipes that it can open', async () => {
    const session = new TestSession({ stdin: true });
    session.stdin?.end('in');
    const fd = '/proc/self/fd';
    const script = `cat ${fd}/0; echo out > ${fd}/1; echo err > ${fd}/2`;
    expect(await exec(session, script)).toEqual({ exitCode: 0 });
    expect([session.stdout.text, session.stderr?.text]).toEqual(['inout\n', 'err\n']);
  });

  it('says why a command cannot be executed', async () => {
    const session = new TestSession();
    const { exitCode } = await exec(session, '', { command: ['/no/such'] });
    expect(exitCode).not.toBe(0);
    expect(session.stderr?.text).toBe('exec: "/no/such": stat /no/such: no such file or directory\n');
    expect(session.stdout.text).toBe('');
    expect(await execCgroups()).toEqual([]);
  });

  it('says a failure of the runtime’s own as such, and nothing to the client’s streams', async () => {
    await writeFile(broken(), '');
    for (const session of [new TestSession(), new TestSession({ tty: true })]) {
      const error = await rejection(exec(session, 'true'));
      expect(error.code).toBe('internal');
      expect(error.message).toContain(`exec "${id}": it ended with exit code 255 before it started the command`);
      expect([session.stdout.text, session.stderr?.text ?? '']).toEqual(['', '']);
    }
    expect(await execCgroups()).toEqual([]);
    await rm(broken());
  });

  it('carries much both ways, at the pace of a client that rests', async () => {
    const session = new TestSession({ stdin: true });
    const sent = randomBytes(8 << 20);
    session.stdout.hold();
    const ended = exec(session, 'cat');
    session.stdin?.end(sent);
    await until(() => session.stdout.bytes > 0);
    // What fits into pipes and buffers on the way, and no more.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(session.stdout.bytes + session.stdout.writableLength).toBeLessThan(1 << 20);
    session.stdout.letGo();
    await ended;
    const received = createHash('sha256');
    expect(session.stdout.bytes).toBe(sent.length);
    expect(received.update(session.stdout.all).digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  it('drops input that the command has not taken', async () => {
    const session = new TestSession({ stdin: true });
    const ended = exec(session, 'sleep 0.3; echo done');
    session.stdin?.end(randomBytes(4 << 20));
    expect(await ended).toEqual({ exitCode: 0 });
    expect(session.stdout.text).toBe('done\n');
    await until(() => session.stdin?.readableEnded);
  });

  it('hangs up on the command when its client goes, but not on what has a session of its own', async () => {
    const session = new TestSession();
    const ended = rejection(exec(session, "setsid sh -c 'echo ready; exec sleep 81' & sleep 82 & sleep 83"));
    await session.stdout.says(/ready/);
    session.leave();
    expect(await ended).toMatchObject({ code: 'cancelled' });
    const left = await processes();
    expect(left).not.toMatch(/sleep 8[23]/);
    expect(left).toContain('sleep 81');
    expect((await rejection(exec(session, 'true'))).code).toBe('cancelled');
  });

  it('kills a command that does not mind', async () => {
    const session = new TestSession();
    const ended = rejection(exec(session, 'trap "" HUP; echo ready; while :; do sleep 0.1; done'));
    await session.stdout.says(/ready/);
    session.leave();
    expect(await ended).toMatchObject({ code: 'cancelled' });
    expect(await processes()).not.toContain('trap');
    expect(await execCgroups()).toEqual([]);
  });

  it('ends with the container, and does not keep it from stopping', async () => {
    const [plain, terminal] = [new TestSession(), new TestSession({ tty: true })];
    const ended = [plain, terminal].map((session) => exec(session, 'trap "" TERM; echo ready; sleep 84'));
    for (const { stdout } of [plain, terminal]) await stdout.says(/ready/);
    await stopContainer(own.context, id, 0);
    expect(await Promise.all(ended)).toEqual([{ exitCode: 137 }, { exitCode: 137 }]);
    expect(own.get(id).status).toMatchObject({ state: 'exited', exitCode: 137 });
    expect(await rejection(exec(new TestSession(), 'true'))).toMatchObject({ code: 'failed-precondition' });
    expect((await rejection(exec(new TestSession(), 'true', { containerId: 'none' }))).code).toBe('not-found');
    await own.clear();
    expect(await own.leftovers()).toEqual([]);
  });

  it('keeps no descriptor, cgroup or process', async () => {
    const round = async (tty: boolean): Promise<void> => {
      const session = new TestSession({ stdin: true, tty });
      session.resize(100, 30);
      await exec(session, 'echo x');
      await exec(new TestSession({ tty }), '', { command: ['/no/such'] });
    };
    await round(false);
    await round(true);
    const before = readdirSync('/proc/self/fd').length;
    for (let count = 0; count < 3; count++) await Promise.all([round(false), round(true)]);
    await until(() => readdirSync('/proc/self/fd').length <= before);
    expect(await execCgroups()).toEqual([]);
    expect((await processes()).trim().split('\n')).toHaveLength(3);
  });
});

describe('exec with a terminal', () => {
  it('is one, of the client’s size as it changes', async () => {
    const session = new TestSession({ stdin: true, tty: true });
    const wait = (size: string): string =>
      `until [ "$(stty size 2>/dev/null)" = "${size}" ]; do sleep 0.1; done; echo is ${size}`;
    session.resize(91, 33);
    const ended = exec(session, `tty; echo $TERM; ${wait('33 91')}; ${wait('43 132')}; read -r x; exit 9`);
    // runc tells the command its size, and how lines end, a moment after its start.
    await session.stdout.says(/\/dev\/pts\/\d+\s+xterm\s+is 33 91\r+\n/);
    session.resize(132, 43);
    await session.stdout.says(/is 43 132\r\n/);
    session.type('bye\r');
    expect(await ended).toEqual({ exitCode: 9 });
    expect(session.stdout.text).toContain('bye\r\n');
  });

  it('passes control characters on, and keeps to the end of the input', async () => {
    const session = new TestSession({ stdin: true, tty: true });
    const ended = exec(session, 'echo ready; sleep 85; echo not-reached');
    await session.stdout.says(/ready/);
    session.type('\x03');
    expect(await ended).toEqual({ exitCode: 130 });
    const shell = new TestSession({ stdin: true, tty: true });
    const over = exec(shell, '', { command: ['sh'] });
    shell.stdin?.end('echo on$((40+2))\nexit 3\n');
    expect(await over).toEqual({ exitCode: 3 });
    expect(shell.stdout.text).toContain('on42');
  });

  it('gives all output before the end, and does not wait for the background', async () => {
    const session = new TestSession({ tty: true });
    expect(await exec(session, 'seq 1 20000; sleep 86 &')).toEqual({ exitCode: 0 });
    const lines = session.stdout.text.trim().split('\r\n');
    expect([lines.length, lines.at(-1)]).toEqual([20_000, '20000']);
    const slow = new TestSession({ tty: true });
    slow.stdout.hold();
    const ended = exec(slow, 'seq 1 20000');
    await until(() => slow.stdout.bytes > 0);
    slow.stdout.letGo();
    await ended;
    expect(slow.stdout.text.trim().split('\r\n')).toHaveLength(20_000);
  });

  it('hangs up when the client goes, and leaves what ignores it', async () => {
    const session = new TestSession({ stdin: true, tty: true });
    const ended = rejection(exec(session, 'trap "" HUP; sleep 87 & trap - HUP; sleep 88 & echo ready; sleep 89'));
    await session.stdout.says(/ready/);
    session.leave();
    expect(await ended).toMatchObject({ code: 'cancelled' });
    const left = await processes();
    expect(left).not.toMatch(/sleep 8[89]/);
    expect(left).toContain('sleep 87');
  });
});

describe('a command that leaves its output open in the background', () => {
  const script = 'sleep 71 & echo hi; echo err >&2; exit 5';

  it('has ended with its own process, for a client', async () => {
    const session = new TestSession({ stdin: true });
    expect(await exec(session, script)).toEqual({ exitCode: 5 });
    expect([session.stdout.text, session.stderr?.text]).toEqual(['hi\n', 'err\n']);
    expect(await processes()).toContain('sleep 71');
  });

  it('has ended in time for ExecSync', async () => {
    const request = { containerId: id, command: ['sh', '-c', script], timeoutSeconds: 20 };
    const { exitCode, stdout, stderr } = await execSync(own.context, request, new AbortController().signal);
    expect({ exitCode, said: [stdout, stderr].map(String) }).toEqual({ exitCode: 5, said: ['hi\n', 'err\n'] });
    expect(await processes()).toContain('sleep 71');
  });
});
