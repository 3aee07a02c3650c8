import { readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { startStream } from './harness/stream.js';
import { waitFor } from './harness/wait.js';

const ROTATIONS = 5;
/** Counts without a pause until it is told to end. */
const FAST = 'trap "echo end; exit 0" TERM; i=0; while :; do echo $i; i=$((i + 1)); done';
/** About a thousand lines a second on a common machine: what a reader there keeps up with. */
const STEADY = 'trap "echo end; exit 0" TERM; i=0; while :; do echo $i; i=$((i + 1)); usleep 500; done';

describe('crictl and logs', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  async function running(script: string): Promise<{ id: string; logPath: string }> {
    const container = await writeContainer(house, { command: ['sh', '-c', script] });
    const id = await runContainer(house, podId, { pod, container });
    return { id, logPath: (await inspect(house, id)).status.logPath };
  }

  async function ended(id: string): Promise<void> {
    await waitFor('end of the container', 10_000, async () =>
      (await inspect(house, id)).status.state === 'CONTAINER_EXITED' ? true : undefined,
    );
  }

  /** As kubelet rotates: a new name, then ReopenContainerLog. (crictl's own command would go on to show the log.) */
  async function rotate({ id, logPath }: { id: string; logPath: string }, to: number): Promise<void> {
    await rename(logPath, `${logPath}.${to}`);
    await callCri(house, 'ReopenContainerLog', { containerId: id });
  }

  it('shows the part that is asked for', async () => {
    const { id } = await running('for i in 1 2 3; do echo out $i; echo err $i >&2; usleep 20000; done');
    await ended(id);
    expect(await house.crictl.run('logs', '--stream', 'stdout', id)).toMatchObject({
      stdout: 'out 1\nout 2\nout 3\n',
      stderr: '',
    });
    expect(await house.crictl.ok('logs', '--tail', '2', id)).toBe('out 3');
    expect(await house.crictl.ok('logs', '--limit-bytes', '5', id)).toBe('out 1');
    expect(await house.crictl.ok('logs', '-t', '--tail', '2', id)).toMatch(/^\d{4}-\S+ out 3$/);
    expect(await house.crictl.ok('logs', '--since', '1h', id)).toBe('out 1\nout 2\nout 3');
    expect(await house.crictl.ok('logs', '--since', new Date(Date.now() + 60_000).toISOString(), id)).toBe('');
    await house.crictl.ok('rm', id);
  });

  it('shows a line as one that was logged in parts', async () => {
    const wait = 'until [ -e /tmp/go ]; do usleep 20000; done';
    const { id, logPath } = await running(
      `printf begin; ${wait}; echo end; head -c 50000 /dev/zero | tr '\\0' x; echo`,
    );
    await waitFor('first part of a line', 10_000, async () =>
      / stdout P begin\n/.test(await readFile(logPath, 'utf8')) ? true : undefined,
    );
    await house.crictl.ok('exec', '-s', id, 'touch', '/tmp/go');
    await ended(id);
    expect(await house.crictl.ok('logs', id)).toBe(`beginend\n${'x'.repeat(50_000)}`);
    await house.crictl.ok('rm', id);
  });

  it('loses no line and doubles none when a busy log is rotated', async () => {
    const counter = await running(FAST);
    for (let to = 1; to <= ROTATIONS; to++) {
      await sleep(200);
      await rotate(counter, to);
    }
    await house.crictl.ok('stop', '--timeout', '10', counter.id);
    const parts = await partsOf(counter.logPath);
    expect(parts).toHaveLength(ROTATIONS + 1);
    expect(parts.every((part) => part !== '')).toBe(true);
    const lines = textsOf(parts.join(''));
    expect(lines.at(-1)).toBe('end');
    expect(lines.length).toBeGreaterThan(1_000 / SETTINGS.slowness);
    expect(firstOutOfOrder(lines.slice(0, -1))).toBeUndefined();
    await house.crictl.ok('rm', counter.id);
  });

  it('follows through rotations', async () => {
    const counter = await running(STEADY);
    const stream = await startStream(house, 'follow', 'logs', '-f', counter.id);
    try {
      for (let to = 1; to <= ROTATIONS; to++) {
        await sleep(patience(300));
        await rotate(counter, to);
      }
      await sleep(patience(300));
      await house.crictl.ok('stop', '--timeout', '10', counter.id);
      const lines = await waitFor('end of the log', 10_000, async () => {
        const found = (await stream.text()).trimEnd().split('\n');
        return found.at(-1) === 'end' ? found : undefined;
      });
      expect(lines.length).toBeGreaterThan(500 / SETTINGS.slowness);
      expect(firstOutOfOrder(lines.slice(0, -1))).toBeUndefined();
    } finally {
      await stream.stop();
    }
    await house.crictl.ok('rm', counter.id);
  });

  it('reopens a log that crictl shows', async () => {
    const { id, logPath } = await running('echo first; until [ -e /go ]; do usleep 1000; done; echo second');
    await rename(logPath, `${logPath}.1`);
    expect(await house.crictl.ok('logs', '--reopen', id)).toBe('');
    await house.crictl.ok('exec', '-s', id, 'touch', '/go');
    await ended(id);
    expect(await house.crictl.ok('logs', id)).toBe('second');
    await house.crictl.ok('rm', id);
  });

  it('has nothing to reopen of a container that has ended', async () => {
    const { id } = await running('true');
    await ended(id);
    expect((await house.crictl.run('logs', '--reopen', id)).stderr).toContain(id);
    await house.crictl.ok('rm', id);
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

/** A log's files, the oldest first: those with a number, then the one in use. */
async function partsOf(logPath: string): Promise<string[]> {
  const rotated = (await readdir(dirname(logPath))).filter((name) => name.startsWith(`${basename(logPath)}.`)).sort();
  const files = [...rotated.map((name) => join(dirname(logPath), name)), logPath];
  return Promise.all(files.map((file) => readFile(file, 'utf8')));
}

/** What the container wrote: a record is `time stream tag text`, and the tag P says that its line goes on in the next. */
function textsOf(log: string): string[] {
  const records = log.split('\n').flatMap((line) => /^\S+ stdout ([FP] .*)$/.exec(line)?.[1] ?? []);
  const text = records.map((record) => record.slice(2) + (record.startsWith('F') ? '\n' : '')).join('');
  return text.split('\n').slice(0, -1);
}

/** The first line that is not the next number, with its place. */
function firstOutOfOrder(lines: readonly string[]): string | undefined {
  const place = lines.findIndex((line, index) => line !== String(index));
  return place === -1 ? undefined : `"${lines[place] ?? ''}" at ${place}`;
}
