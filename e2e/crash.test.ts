import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { waitFor } from './harness/wait.js';

/** A pod with one container that counts into its log until the file `go` appears, and then ends with code 7. */
interface Counter {
  readonly podId: string;
  readonly id: string;
  readonly pid: number;
  readonly logPath: string;
  /** Has the container end, and waits until its process is gone. */
  end(): Promise<void>;
}

const COUNT = 'i=0; until [ -e /signal/go ]; do echo $i; i=$((i + 1)); sleep 0.1; done; exit 7';

describe('a crash of the daemon', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    // A test that failed half-way may have left it dead.
    if (!house.daemon.running) await house.daemon.start();
  });

  async function startCounter(): Promise<Counter> {
    const signal = await mkdtemp(join(house.scratch.logs, 'signal-'));
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const mounts = [{ container_path: '/signal', host_path: signal }];
    const container = await writeContainer(house, { command: ['sh', '-c', COUNT], mounts });
    const id = await runContainer(house, podId, { pod, container });
    const { status, info } = await inspect(house, id);
    const pid = info.pid ?? 0;
    const end = async (): Promise<void> => {
      await writeFile(join(signal, 'go'), '');
      await waitFor('end of the container', 10_000, () => gone(pid));
    };
    return { podId, id, pid, logPath: status.logPath, end };
  }

  /** Lines of the log, once there are more than `than`. */
  async function linesOf({ logPath }: Counter, than = 0): Promise<string[]> {
    return waitFor('growth of the log', 5_000, async () => {
      const lines = (await readFile(logPath, 'utf8')).trimEnd().split('\n');
      return lines.length > than ? lines : undefined;
    });
  }

  async function exitOf({ id }: Counter): Promise<{ exitCode: number; reason: string; finished: number }> {
    const { status } = await waitFor('exit of the container', 10_000, async () => {
      const view = await inspect(house, id);
      return view.status.state === 'CONTAINER_EXITED' ? view : undefined;
    });
    return { exitCode: status.exitCode, reason: status.reason, finished: Date.parse(status.finishedAt) };
  }

  it('does not disturb a container, and its exit code is right', async () => {
    const counter = await startCounter();
    const { ip } = (await inspectPod(house, counter.podId)).status.network;
    await house.daemon.kill9();
    const before = (await linesOf(counter)).length;
    await linesOf(counter, before + 3);
    await house.daemon.start();
    const { status, info } = await inspect(house, counter.id);
    expect([status.state, info.pid]).toEqual(['CONTAINER_RUNNING', counter.pid]);
    expect((await inspectPod(house, counter.podId)).status).toMatchObject({ state: 'SANDBOX_READY', network: { ip } });
    expect(await house.crictl.ok('exec', '-s', counter.id, 'echo', 'still here')).toBe('still here');
    await counter.end();
    expect(await exitOf(counter)).toMatchObject({ exitCode: 7, reason: 'Error' });
    await house.crictl.ok('rmp', '-f', counter.podId);
  });

  it('does not lose the exit code of a container that ends meanwhile', async () => {
    const counter = await startCounter();
    await house.daemon.kill9();
    const before = Date.now();
    await counter.end();
    await waitFor('end of conmon', 10_000, async () => ((await monitors(counter.id)) === 0 ? true : undefined));
    const after = Date.now();
    await house.daemon.start();
    const exit = await exitOf(counter);
    expect(exit).toMatchObject({ exitCode: 7, reason: 'Error' });
    // A file's time is that of the kernel's last tick.
    expect(exit.finished).toBeGreaterThan(before - 20);
    expect(exit.finished).toBeLessThanOrEqual(after);
    await house.crictl.ok('rmp', '-f', counter.podId);
  });

  it('does not keep a pod whose pause process died meanwhile ready', async () => {
    const counter = await startCounter();
    const { info } = (await house.crictl.json('inspectp', counter.podId)) as { info: { pid: number } };
    await house.daemon.kill9();
    process.kill(info.pid, 'SIGKILL');
    await house.daemon.start();
    await waitFor('pod that is not ready', 10_000, async () =>
      (await inspectPod(house, counter.podId)).status.state === 'SANDBOX_NOTREADY' ? true : undefined,
    );
    await house.crictl.ok('stopp', counter.podId);
    await house.crictl.ok('rmp', '-f', counter.podId);
  });

  it('is no reason to forget images, and a regular stop is none to end containers', async () => {
    const counter = await startCounter();
    expect(await house.daemon.stop()).toBe(0);
    expect(await gone(counter.pid)).toBeUndefined();
    await house.daemon.start();
    expect(await house.crictl.ok('images', '-q')).not.toBe('');
    expect((await inspect(house, counter.id)).status.state).toBe('CONTAINER_RUNNING');
    await house.crictl.ok('rmp', '-f', counter.podId);
  });

  it('leaves no socket that keeps the next daemon from starting, and two never share one', async () => {
    await house.daemon.kill9();
    await house.daemon.start();
    expect(await house.daemon.startSecond()).not.toBe(0);
    expect(await house.crictl.ok('version')).toContain('gantry');
  });

  it('leaves nothing behind', () => house.assertEmpty());
});

/** How many conmons a container has. */
async function monitors(id: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes('conmon') && line.split('\0').includes(id)).length;
}

/** True once a process has ended, undefined before; zombies have ended. */
async function gone(pid: number): Promise<true | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat === '' || stat.includes(') Z ') ? true : undefined;
}
