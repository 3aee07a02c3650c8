import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';

import { sleep } from '../src/base/abort.js';
import { endOf, start } from '../src/base/spawn.js';
import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { ask, Caller, forwardedPorts, present, processesOf, StreamingCrictl } from './harness/streams.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;
const LARGE = 200 * MIB;
const LINES = ['sh', '-c', 'while read line; do echo "<$line>"; done; echo end'];

describe('crictl and streams', () => {
  let house: House;
  let crictl: StreamingCrictl;
  let pod: PodFile;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse();
    crictl = new StreamingCrictl(house);
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
    id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  });
  afterAll(() => house.close());

  const processes = (pattern: RegExp): Promise<string[]> => processesOf(house, id, pattern);

  /** A container that runs this, or answers lines, and a client attached to it. */
  async function attached(
    transport: string,
    { command = LINES, ...fields }: { command?: string[]; stdin_once?: boolean },
  ) {
    const container = await writeContainer(house, { command, stdin: true, ...fields });
    const own = await runContainer(house, podId, { pod, container });
    return { own, client: crictl.attach('-r', transport, own) };
  }

  describe.each(['spdy', 'websocket'])('over %s', (transport) => {
    const exec = (input: string, ...rest: string[]) => crictl.run(input, 'exec', '-r', transport, ...rest);

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
      const client = crictl.start('exec', '-i', '-r', transport, id, 'cat');
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
      const command = crictl.line('exec', '-it', '-r', transport, id, 'sh', '-c', script);
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
      const client = crictl.start('exec', '-i', '-r', transport, id, 'sh', '-c', 'echo up; sleep 4321 & sleep 4322');
      await once(present(client.stdout), 'data');
      expect(await processes(/^sleep 432/)).toHaveLength(2);
      client.kill('SIGKILL');
      await waitFor('end of the command', 10_000, async () =>
        (await processes(/sleep 432/)).length === 0 ? true : undefined,
      );
      expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
    });

    it('attach: joins input and output; the container ends with stdin, if that is once', async () => {
      const { own, client } = await attached(transport, { stdin_once: true });
      client.say('hello');
      await client.hears('<hello>\n');
      client.child.stdin?.end();
      expect(await client.end()).toBe(0);
      expect(client.heard).toBe('<hello>\nend\n');
      await house.crictl.ok('rm', '-f', own);
    });

    it('attach: serves several at once, and lets the container go on when one is killed and others come', async () => {
      const { own, client } = await attached(transport, {});
      client.say('one');
      await client.hears('<one>\n');
      const second = crictl.attach('-r', transport, own);
      second.say('two');
      await second.hears('<two>\n');
      await client.hears('<one>\n<two>\n');
      client.say('three');
      await second.hears('<two>\n<three>\n');
      await client.kill();
      second.say('four');
      await second.hears('<two>\n<three>\n<four>\n');
      await second.kill();
      const next = crictl.attach('-r', transport, own);
      next.say('five');
      await next.hears('<five>\n');
      await next.kill();
      expect((await inspect(house, own)).status.state).toBe('CONTAINER_RUNNING');
      await house.crictl.ok('rm', '-f', own);
    });

    it('attach: lets go of a client that takes nothing, and the container does not wait', async () => {
      const script = 'read line; echo "<$line>"; sleep 1; head -c 40000000 /dev/zero | tr "\\0" x; echo; exit 5';
      const { own, client } = await attached(transport, { command: ['sh', '-c', script] });
      client.say('hello');
      await client.hears('<hello>\n');
      client.child.kill('SIGSTOP');
      await waitFor('the end of the container', 20_000, async () => {
        const { status } = await inspect(house, own);
        return status.state === 'CONTAINER_EXITED' && status.exitCode === 5 ? true : undefined;
      });
      const said = new RegExp(`container \\\\"${own}\\\\" (is \\d+ bytes of output behind|took no output)`);
      await waitFor('the word on it', 20_000, async () => (said.test(await house.daemon.log()) ? true : undefined));
      client.child.kill('SIGCONT');
      await client.end();
      expect(client.heard.length).toBeLessThan(40_000_000);
      await house.crictl.ok('rm', '-f', own);
    });

    it.each([false, true])('port-forward: several ports, half-closed; on the host’s network: %s', async (onHost) => {
      const base = onHost ? 18_472 : 80;
      const [echo, hash, six, bye] = [base, base + 1, base + 2, base + 3];
      const linux = onHost ? { security_context: { namespace_options: { network: 2 } } } : {};
      const own = await writePod(house, { linux });
      const ownId = await runPod(house, own);
      const servers = [
        `nc -ll -p ${echo} -e cat`,
        `nc -ll -p ${hash} -e sha256sum`,
        `mkdir /www && echo six > /www/index.html && httpd -f -p [::1]:${six} -h /www`,
        `nc -ll -p ${bye} -e echo bye`,
      ];
      const command = ['sh', '-c', `${servers.map((server) => `(${server}) &`).join(' ')} wait`];
      await runContainer(house, ownId, { pod: own, container: await writeContainer(house, { command, linux }) });
      const remote = [echo, hash, six, bye, 9].map((port) => `:${port}`);
      const client = crictl.start('port-forward', '-r', transport, ownId, ...remote);
      const ports = await forwardedPorts(client, remote.length);
      await waitFor('first answer', 10_000, async () => ((await ask(ports[0], 'up?')) === 'up?' ? true : undefined));
      const lasting = new Caller(ports[0]);
      lasting.say('still ');
      await lasting.hears('still ');
      // Nobody listens there; the others do not mind.
      expect(await ask(ports[4], 'x')).toBe('');
      await waitFor('the word on it', 10_000, async () =>
        (await house.daemon.log()).includes(`cannot connect to port 9 of sandbox \\"${ownId}\\"`) ? true : undefined,
      );
      const large = randomBytes(10 * MIB).toString('hex');
      const [echoed, hashed] = await Promise.all([ask(ports[0], large), ask(ports[1], large)]);
      expect(echoed === large).toBe(true);
      expect(hashed).toContain(createHash('sha256').update(large).digest('hex'));
      // Listens on ::1 alone.
      expect(await ask(ports[2], 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.\d 200.*six\n$/s);
      // Ends first.
      expect(await ask(ports[3], '')).toBe('bye\n');
      expect(await lasting.end('here')).toBe('still here');
      client.kill('SIGKILL');
      await endOf(client, 'crictl', 'close');
      await house.crictl.ok('rmp', '-f', ownId);
    });
  });

  it('a URL serves once', async () => {
    const url = await execUrl();
    expect(await upgrade(url)).toBe(101);
    expect(await upgrade(url)).toBe(404);
    expect(await upgrade(url.replace(/.$/, 'x'))).toBe(404);
  });

  (SETTINGS.full ? it : it.skip)(
    'a URL serves for a minute (a test of a minute: GANTRY_E2E_FULL)',
    async () => {
      const url = await execUrl();
      await sleep(61_000);
      expect(await upgrade(url)).toBe(404);
    },
    patience(120_000),
  );

  async function execUrl(): Promise<string> {
    const { url } = await callCri(house, 'Exec', { containerId: id, cmd: ['true'], stdout: true });
    return (url ?? '').replace('http', 'ws');
  }

  it.each([
    ['exec', '--', 'no-such-container', 'true'],
    ['attach', 'no-such-container'],
    ['port-forward', 'no-such-pod', '1:1'],
  ])('%s: says what is not there', async (...command) => {
    const { code, stderr } = await crictl.run('', ...command);
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

/** The status of the answer to a WebSocket's upgrade. */
async function upgrade(url: string): Promise<number> {
  const socket = new WebSocket(url, ['v5.channel.k8s.io']);
  socket.on('error', () => undefined);
  const status = await new Promise<number>((resolve) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  });
  socket.terminate();
  return status;
}

/** Changes the size of the terminal that a child of `pid` has as its own. */
async function resizeTerminal(pid: number, { rows, cols }: { rows: number; cols: number }): Promise<void> {
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  const stty = start('stty', ['-F', `/proc/${child}/fd/0`, 'rows', String(rows), 'cols', String(cols)], {
    stdio: 'ignore',
  });
  expect(await endOf(stty, 'stty', 'exit')).toBe(0);
}
