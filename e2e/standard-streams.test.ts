import { text } from 'node:stream/consumers';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { endOf, start } from '../src/base/spawn.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, writeContainer, writePod } from './harness/pods.js';
import { present, StreamingCrictl } from './harness/streams.js';
import { ownIds, usernsRuntime } from './harness/user-namespaces.js';
import { waitFor } from './harness/wait.js';

const OUT_AND_ERR = 'echo out > /dev/stdout && echo err > /dev/stderr';
const ALL_THREE = `read line < /dev/stdin && echo "in $line" > /dev/stdout && ${OUT_AND_ERR}`;

const PODS: readonly (readonly [string, object, readonly string[]])[] = [
  ["the node's user namespace", { linux: {} }, []],
  ['a user namespace of its own', ownIds(1_000_000), ['-r', 'newer']],
];

/** As daemons that log there open them: nginx, httpd. */
describe.each(PODS)('/dev/stdin, /dev/stdout and /dev/stderr in a pod with %s', (_, linux, options) => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(async ({ dir }) => ({
      runtime: { handlers: { newer: { path: await usernsRuntime(dir) } } },
    }));
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());
  afterEach(async () => {
    const pods = (await house.crictl.ok('pods', '-q')).split('\n').filter(Boolean);
    await house.crictl.ok('stopp', ...pods);
    await house.crictl.ok('rmp', ...pods);
    await house.assertEmpty();
  });

  /** A container whose processes are this user. */
  async function run(user: number, fields: object = {}): Promise<string> {
    const pod = await writePod(house, linux);
    const podId = await house.crictl.ok('runp', ...options, pod.path);
    const { security_context = {} } = (linux as { linux: { security_context?: object } }).linux;
    const own = { linux: { security_context: { ...security_context, run_as_user: { value: user } } } };
    return runContainer(house, podId, { pod, container: await writeContainer(house, { ...own, ...fields }) });
  }

  /** What it wrote by then, in any order: two streams. */
  async function logAtEnd(id: string): Promise<{ exitCode: number; lines: string[] }> {
    const { status } = await waitFor('end of the container', 10_000, async () => {
      const view = await inspect(house, id);
      return view.status.state === 'CONTAINER_EXITED' ? view : undefined;
    });
    const { stdout, stderr } = await house.crictl.run('logs', id);
    return { exitCode: status.exitCode, lines: lines(stdout + stderr) };
  }

  const crictl = (): StreamingCrictl => new StreamingCrictl(house);

  function lines(all: string): string[] {
    return all.split(/\r?\n/).filter(Boolean).sort();
  }

  const USERS = [0, 1000];

  it.each(USERS)('can be opened by a container of user %d', async (user) => {
    const id = await run(user, { command: ['sh', '-c', OUT_AND_ERR] });
    expect(await logAtEnd(id)).toEqual({ exitCode: 0, lines: ['err', 'out'] });
  });

  it.each(USERS)('can be opened by a container with an input, of user %d', async (user) => {
    const id = await run(user, { command: ['sh', '-c', ALL_THREE], stdin: true, stdin_once: true });
    const { stdout, stderr } = await crictl().run('hello\n', 'attach', '-i', id);
    const log = await logAtEnd(id);
    expect(log).toEqual({ exitCode: 0, lines: ['err', 'in hello', 'out'] });
    expect(log.lines).toEqual(expect.arrayContaining(lines(stdout + stderr)));
  });

  it.each(USERS)('can be opened by a container on a terminal, of user %d', async (user) => {
    const id = await run(user, { command: ['sh', '-c', `${OUT_AND_ERR}; id -u; tty`], tty: true });
    const log = await logAtEnd(id);
    expect(log).toEqual({ exitCode: 0, lines: ['/dev/pts/0', String(user), 'err', 'out'].sort() });
  });

  it.each(USERS)('can be opened by commands of user %d', async (user) => {
    const id = await run(user);
    const command = ['sh', '-c', `${OUT_AND_ERR}; id -u`];
    const sync = await house.crictl.run('exec', '-s', id, ...command);
    expect([sync.code, ...lines(sync.stdout + sync.stderr)]).toEqual([0, String(user), 'err', 'out']);
    const streamed = await crictl().run('hello\n', 'exec', '-i', id, 'sh', '-c', ALL_THREE);
    expect([streamed.code, ...lines(streamed.stdout + streamed.stderr)]).toEqual([0, 'err', 'in hello', 'out']);
  });

  it.each(USERS)('can be opened by commands on a terminal, of user %d', async (user) => {
    const id = await run(user);
    const line = crictl().line('exec', '-it', id, 'sh', '-c', `${OUT_AND_ERR}; head -c 3 /dev/stdin; id -u`);
    // crictl needs a terminal itself for that.
    const inside = `stty -echo; ${line.map((word) => `'${word}'`).join(' ')}`;
    const client = start('script', ['-q', '-e', '-c', inside, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    client.stdin?.write('in\n');
    const [seen, code] = await Promise.all([text(present(client.stdout)), endOf(client, 'script', 'close')]);
    expect(code).toBe(0);
    expect(lines(seen)).toEqual(expect.arrayContaining(['err', 'in', 'out', String(user)]));
  });

  it('can be opened by a container that a daemon started which did not create it', async () => {
    const pod = await writePod(house, linux);
    const podId = await house.crictl.ok('runp', ...options, pod.path);
    const container = await writeContainer(house, { ...linux, command: ['sh', '-c', OUT_AND_ERR] });
    const id = await house.crictl.ok('create', podId, container, pod.path);
    await house.daemon.kill9();
    await house.daemon.start();
    await house.crictl.ok('start', id);
    expect(await logAtEnd(id)).toEqual({ exitCode: 0, lines: ['err', 'out'] });
  });
});
