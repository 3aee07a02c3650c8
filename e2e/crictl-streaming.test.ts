import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { internal } from '../src/base/errors.js';
import { endOf, start } from '../src/base/spawn.js';
import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;
const LARGE = 200 * MIB;
const LINES = ['sh', '-c', 'while read line; do echo "<$line>"; done; echo end'];

describe('crictl and streams', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
    id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  });
  afterAll(() => house.close());

  const args = (...rest: string[]): string[] => ['--config', join(house.scratch.dir, 'crictl.yaml'), ...rest];

  function startCrictl(...rest: string[]): ChildProcess {
    return start(join(TOOLS, 'crictl'), args(...rest), { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** crictl with all of its input, to its end. */
  async function crictl(input: string, ...rest: string[]) {
    const child = startCrictl(...rest);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    const outputs = Promise.all([child.stdout, child.stderr].map((stream) => text(stream ?? Readable.from([]))));
    const code = await endOf(child, 'crictl', 'close');
    const [stdout, stderr] = await outputs;
    return { code, stdout, stderr };
  }

  /** Processes of the container whose arguments match. */
  async function processes(pattern: RegExp, of = id): Promise<string[]> {
    const { stdout } = await callCri(house, 'ExecSync', { containerId: of, cmd: ['ps', '-o', 'args'] });
    return Buffer.from(stdout ?? '')
      .toString()
      .split('\n')
      .filter((line) => pattern.test(line));
  }

  /** A container that reads lines, and a client attached to it. */
  async function attached(transport: string, fields: object) {
    const container = await writeContainer(house, { command: LINES, stdin: true, ...fields });
    const own = await runContainer(house, podId, { pod, container });
    const client = startCrictl('attach', '-i', '-r', transport, own);
    const output = { text: '' };
    client.stdout?.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
    return { own, client, output };
  }

  describe.each(['spdy', 'websocket'])('over %s', (transport) => {
    const exec = (input: string, ...rest: string[]) => crictl(input, 'exec', '-r', transport, ...rest);

    it('exec: tells stdout and stderr apart', async () => {
      const result = await exec('', id, 'sh', '-c', 'echo out; echo err >&2');
      expect(result).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
    });

    it.each([1, 3, 255])('exec: tells exit code %d', async (code) => {
      const result = await exec('', id, 'sh', '-c', `exit ${code}`);
      expect(result.code).not.toBe(0);
      expect(result.stderr).toContain(`exit code ${code}`);
    });

    it('exec: says what cannot be run', async () => {
      const { code, stderr } = await exec('', id, '/no/such/program');
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/no such file|not found|exit code 127/i);
    });

    it('exec: ends stdin with the client’s', async () => {
      const result = await exec('some text', '-i', id, 'sh', '-c', 'cat; echo " end"');
      expect(result).toMatchObject({ code: 0, stdout: 'some text end\n' });
    });

    it('exec: ends with the command, whatever holds its output in the background', async () => {
      const result = await exec('', id, 'sh', '-c', 'sleep 9320 & echo hi; echo err >&2; exit 4');
      expect(result).toMatchObject({ code: 1, stdout: 'hi\n', stderr: expect.stringMatching(/^err\n.*exit code 4/s) });
    });

    it('exec: carries 200 MB both ways, and keeps its memory', async () => {
      const before = await residentBytes();
      const client = startCrictl('exec', '-i', '-r', transport, id, 'cat');
      const [sent, received] = [createHash('sha256'), createHash('sha256')];
      const chunks = (function* () {
        for (let left = LARGE; left > 0; left -= MIB) {
          const chunk = randomBytes(MIB);
          sent.update(chunk);
          yield chunk;
        }
      })();
      let peak = before;
      const watch = setInterval(() => void residentBytes().then((now) => (peak = Math.max(peak, now))), 200);
      await Promise.all([
        pipeline(Readable.from(chunks), present(client.stdin)),
        pipeline(present(client.stdout), received),
      ]);
      clearInterval(watch);
      expect(received.digest('hex')).toBe(sent.digest('hex'));
      expect(peak - before).toBeLessThan(100 * MIB);
    });

    it('exec: has a terminal of the client’s size, that changes with it', async () => {
      const wait = (size: string): string =>
        `until [ "$(stty size)" = "${size}" ]; do usleep 50000; done; echo is ${size}`;
      const script = `[ -t 0 ] && [ -t 2 ] && echo terminal; ${wait('33 77')}; ${wait('40 100')}; exit 7`;
      const command = [join(TOOLS, 'crictl'), ...args('exec', '-it', '-r', transport, id, 'sh', '-c', script)];
      const inside = `stty rows 33 cols 77; ${command.map((word) => `'${word}'`).join(' ')}; echo "code $?"`;
      const client = start('script', ['-q', '-e', '-c', inside, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
      let seen = '';
      client.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      await waitFor('first size', 20_000, () => Promise.resolve(seen.includes('is 33 77') ? true : undefined));
      // The terminal of crictl, as a user drags its window.
      await resizeTerminal(client.pid ?? 0, { rows: 40, cols: 100 });
      await endOf(client, 'script', 'close');
      expect(seen).toContain('terminal');
      expect(seen).toContain('is 40 100');
      expect(seen).toMatch(/exit code 7|code 7/);
    });

    it('exec: kills the command of a client that is killed', async () => {
      const client = startCrictl('exec', '-i', '-r', transport, id, 'sh', '-c', 'echo up; sleep 4321 & sleep 4322');
      await once(present(client.stdout), 'data');
      expect(await processes(/^sleep 432/)).toHaveLength(2);
      client.kill('SIGKILL');
      await waitFor('end of the command', 10_000, async () =>
        (await processes(/sleep 432/)).length === 0 ? true : undefined,
      );
      expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
    });

    it('attach: joins input and output; the container ends with stdin, if that is once', async () => {
      const { own, client, output } = await attached(transport, { stdin_once: true });
      client.stdin?.write('hello\n');
      await waitFor('answer', 10_000, () => Promise.resolve(output.text === '<hello>\n' ? true : undefined));
      client.stdin?.end();
      expect(await endOf(client, 'crictl', 'close')).toBe(0);
      expect(output.text).toBe('<hello>\nend\n');
      await house.crictl.ok('rm', '-f', own);
    });

    it('attach: lets the container go on when the client is killed, and others come', async () => {
      const { own, client, output } = await attached(transport, {});
      client.stdin?.write('one\n');
      await waitFor('answer', 10_000, () => Promise.resolve(output.text === '<one>\n' ? true : undefined));
      client.kill('SIGKILL');
      await endOf(client, 'crictl', 'close');
      const next = startCrictl('attach', '-i', '-r', transport, own);
      let seen = '';
      next.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      next.stdin?.write('two\n');
      await waitFor('answer', 10_000, () => Promise.resolve(seen === '<two>\n' ? true : undefined));
      next.kill('SIGKILL');
      await endOf(next, 'crictl', 'close');
      expect((await inspect(house, own)).status.state).toBe('CONTAINER_RUNNING');
      await house.crictl.ok('rm', '-f', own);
    });

    it.each([false, true])('port-forward: several ports, half-closed; on the host’s network: %s', async (onHost) => {
      const [first, second] = onHost ? ['18472', '18473'] : ['80', '81'];
      const linux = onHost ? { security_context: { namespace_options: { network: 2 } } } : {};
      const own = await writePod(house, { linux });
      const ownId = await runPod(house, own);
      const script = `nc -ll -p ${first} -e cat & nc -ll -p ${second} -e sha256sum & wait`;
      const container = await writeContainer(house, { command: ['sh', '-c', script], linux });
      await runContainer(house, ownId, { pod: own, container });
      const client = startCrictl('port-forward', '-r', transport, ownId, `:${first}`, `:${second}`, ':9');
      const ports = await forwardedPorts(client, 3);
      await waitFor('first answer', 10_000, async () => ((await ask(ports[0], 'up?')) === 'up?' ? true : undefined));
      // Nobody listens there; the others do not mind.
      expect(await ask(ports[2], 'x')).toBe('');
      const large = randomBytes(10 * MIB).toString('hex');
      const [echoed, hashed] = await Promise.all([ask(ports[0], large), ask(ports[1], large)]);
      expect(echoed === large).toBe(true);
      expect(hashed).toContain(createHash('sha256').update(large).digest('hex'));
      client.kill('SIGKILL');
      await endOf(client, 'crictl', 'close');
      await house.crictl.ok('rmp', '-f', ownId);
    });
  });

  it.each([
    ['exec', '--', 'no-such-container', 'true'],
    ['attach', 'no-such-container'],
    ['port-forward', 'no-such-pod', '1:1'],
  ])('%s: says what is not there', async (...command) => {
    const { code, stderr } = await crictl('', ...command);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/no-such-\w+/);
  });

  it.each([
    [{ cmd: ['true'] }, /one of stdin, stdout and stderr/],
    [{ cmd: ['true'], stdout: true, stderr: true, tty: true }, /tty and stderr/],
    [{ stdout: true }, /cmd is empty/],
  ])('Exec refuses %j', async (request, message) => {
    const { code, details } = await statusOf(callCri(house, 'Exec', { ...request, containerId: id }));
    expect(code).toBe(status.INVALID_ARGUMENT);
    expect(details).toMatch(message);
  });

  it('Attach refuses to carry nothing', async () => {
    const { code } = await statusOf(callCri(house, 'Attach', { containerId: id }));
    expect(code).toBe(status.INVALID_ARGUMENT);
  });

  it('PortForward refuses what is no port, and a pod that is stopped', async () => {
    const own = await runPod(house, await writePod(house));
    const wrong = await statusOf(callCri(house, 'PortForward', { podSandboxId: own, port: [80, 65_536] }));
    expect(wrong).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('65536') });
    await house.crictl.ok('stopp', own);
    const stopped = await statusOf(callCri(house, 'PortForward', { podSandboxId: own }));
    expect(stopped.code).toBe(status.FAILED_PRECONDITION);
    await house.crictl.ok('rmp', own);
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  async function residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${house.daemon.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }
});

/** A stream that the child was started with. */
function present<T>(stream: T | null): T {
  if (stream === null) throw internal('the child has no such stream');
  return stream;
}

/** The local ports of `crictl port-forward` on IPv4, in the order of its arguments. */
async function forwardedPorts(client: ChildProcess, count: number): Promise<number[]> {
  let said = '';
  client.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return waitFor('forwarded ports', 10_000, () => {
    const ports = [...said.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, port]) => Number(port));
    return Promise.resolve(ports.length === count ? ports : undefined);
  });
}

/** Sends the text, ends, and returns what comes. */
async function ask(port: number | undefined, question: string): Promise<string> {
  const socket = connect({ port: port ?? 0, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.end(question);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  await once(socket, 'close');
  return answer;
}

/** Changes the size of the terminal that a child of `pid` has as its own. */
async function resizeTerminal(pid: number, { rows, cols }: { rows: number; cols: number }): Promise<void> {
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  const stty = start('stty', ['-F', `/proc/${child}/fd/0`, 'rows', String(rows), 'cols', String(cols)], {
    stdio: 'ignore',
  });
  expect(await endOf(stty, 'stty', 'exit')).toBe(0);
}
