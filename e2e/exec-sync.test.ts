import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import Long from 'long';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { statusOf } from '../src/server/testing.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runPod, runWorkload, writeContainer, writePod } from './harness/pods.js';
import { patience } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;

describe('ExecSync', () => {
  let house: House;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    ({ podId, id } = await runWorkload(house));
  });
  afterAll(() => house.close());

  async function exec(script: string, seconds = 0) {
    const request = { containerId: id, cmd: ['sh', '-c', script], timeout: Long.fromNumber(seconds) };
    const { exitCode, stdout, stderr } = await callCri(house, 'ExecSync', request);
    return { exitCode, stdout: text(stdout), stderr: text(stderr) };
  }

  /** The arguments of all processes of the container. */
  async function processes(): Promise<string> {
    return (await exec('ps -o args')).stdout;
  }

  it.each([
    ['echo out; echo err >&2', { exitCode: 0, stdout: 'out\n', stderr: 'err\n' }],
    ['exit 3', { exitCode: 3, stdout: '', stderr: '' }],
    ['kill -9 $$', { exitCode: 137, stdout: '', stderr: '' }],
    ['printf "\\377\\0"', { exitCode: 0, stdout: '\ufffd\0', stderr: '' }],
  ])('tells output and exit code: %s', async (script, expected) => {
    expect(await exec(script)).toEqual(expected);
  });

  it.each([
    ['a child', 'sleep 1111'],
    ['children in the background', 'sleep 1112 & sleep 1113 & wait'],
    ['one in a session of its own', 'setsid sleep 1114 & wait'],
    ['one that forked twice, in a session of its own', 'setsid sh -c "sleep 1115 &" & sleep 1116'],
    ['one that hears no signal', 'trap "" TERM INT HUP; while :; do sleep 1117; done'],
    ['those that go on forking', 'f() { (sleep 1118 & f) & }; f; sleep 1119'],
  ])('ends %s when its time is over', async (_, script) => {
    const started = Date.now();
    const { code, details } = await statusOf(exec(script, 1));
    expect(code).toBe(status.DEADLINE_EXCEEDED);
    expect(details).toContain(id);
    expect(Date.now() - started).toBeLessThan(patience(5_000));
    expect(await processes()).not.toMatch(/sleep 111/);
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
  });

  it('leaves no cgroup of its commands', async () => {
    const { pid = 0 } = (await inspect(house, id)).info;
    const paths = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n').map((line) => line.split(':')[2] ?? '');
    const own = paths.find((path) => path.includes(id)) ?? '';
    await waitFor('end of the cgroups', 5_000, async () => {
      const left = (await cgroupsBelow(own)).filter((name) => name.startsWith('exec-'));
      return left.length === 0 ? true : undefined;
    });
  });

  it('lets live what a command leaves in the background', async () => {
    const { stdout: pid } = await exec('sleep 1200 >/dev/null 2>&1 & echo $!');
    expect(await processes()).toContain('sleep 1200');
    expect((await exec(`kill ${pid}`)).exitCode).toBe(0);
  });

  it.each([
    ['quiet', 'sleep 1300'],
    ['that goes on writing', 'while sleep 0.1; do echo more; done'],
  ])('ends with its command, in time, whatever holds its output in the background: %s', async (_, background) => {
    const { exitCode, stdout, stderr } = await exec(`(${background}) & echo hi; echo err >&2; exit 3`, 20);
    expect({ exitCode, first: stdout.slice(0, 3), stderr }).toEqual({ exitCode: 3, first: 'hi\n', stderr: 'err\n' });
  });

  it('has all that a command wrote which left its output open', async () => {
    const { exitCode, stdout } = await exec('sleep 1301 & head -c 9000000 /dev/zero');
    expect([exitCode, stdout.length]).toEqual([0, 9_000_000]);
  });

  it.each([
    ['stdout', 'head -c 17825792 /dev/zero'],
    ['stderr', 'head -c 17825792 /dev/zero >&2'],
    ['both', 'head -c 17825792 /dev/zero; head -c 17825792 /dev/zero >&2'],
  ])('cuts what no answer holds, and says so: %s', async (_, script) => {
    const { exitCode, stdout, stderr } = await exec(script);
    expect(exitCode).toBe(0);
    // kubelet takes no longer message; the client of this test would.
    expect(stdout.length + stderr.length).toBeLessThan(16 * MIB);
    expect(stdout.length + stderr.length).toBeGreaterThan(15 * MIB);
    for (const text of [stdout, stderr].filter((each) => each !== ''))
      expect(text).toMatch(/output cut after \d+ byte/);
  });

  it('does not run in what does not run', async () => {
    const pod = await writePod(house);
    const own = await runPod(house, pod);
    const created = await house.crictl.ok('create', own, await writeContainer(house), pod.path);
    const call = callCri(house, 'ExecSync', { containerId: created, cmd: ['true'] });
    expect(await statusOf(call)).toMatchObject({ code: status.FAILED_PRECONDITION });
    await house.crictl.ok('rmp', '-f', own);
  });

  it.each([
    ['no such program', ['/no/such/program'], /no such file|not found/i],
    ['no program', ['/etc'], /permission denied|is a directory|not permitted/i],
  ])('says what it cannot run: %s', async (_, cmd, expected) => {
    const { exitCode, stdout, stderr } = await callCri(house, 'ExecSync', { containerId: id, cmd });
    expect(exitCode).not.toBe(0);
    expect(text(stdout)).toBe('');
    expect(text(stderr)).toMatch(expected);
    // A sentence of the program, not a line of the runtime's log.
    expect(text(stderr)).not.toMatch(/level=|exec failed|container process|\n./);
  });

  it('has the right exit codes of 200 commands, eight at once', async () => {
    const codes: number[] = [];
    const one = async (_: unknown, client: number): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const { exitCode, stderr } = await exec(`exit ${client + 1}`);
        if (exitCode !== client + 1) throw new RangeError(`exit code ${exitCode}: ${stderr}`);
        codes.push(exitCode);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    expect(codes.length).toBe(200);
  }, 120_000);

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

/** Names in a cgroup's directory, of every hierarchy. */
async function cgroupsBelow(path: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const hierarchies = mounts.filter(([, , type = '']) => type.startsWith('cgroup')).map(([, target = '']) => target);
  return (await Promise.all(hierarchies.map((mount) => readdir(join(mount, path)).catch(() => [])))).flat();
}

function text(bytes: Uint8Array | string | null): string {
  return Buffer.from(bytes ?? '').toString();
}
