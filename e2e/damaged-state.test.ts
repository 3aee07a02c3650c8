import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { PROJECT_ROOT } from '../scripts/project-root.js';
import { run } from '../src/base/spawn.js';
import { identify } from '../src/base/sys/process.js';
import { openHouse, type House } from './harness/house.js';
import {
  BUSYBOX,
  inspect,
  inspectPod,
  runContainer,
  runPod,
  runWorkload,
  writeContainer,
  writePod,
} from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

describe('damaged state', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    // What a test that failed half-way has left.
    if (!house.daemon.running) await house.daemon.start();
    await house.crictl.ok('rmp', '-fa');
    await house.crictl.ok('pull', BUSYBOX);
  });

  /** Stops the daemon, spoils a file below its root, starts it again, and returns what it logged. */
  async function spoil(path: string, how: (file: string) => Promise<void>): Promise<string> {
    const before = (await house.daemon.log()).length;
    await house.daemon.stop();
    await how(join(house.scratch.root, path));
    await house.daemon.start();
    return (await house.daemon.log()).slice(before);
  }

  const garbage = (file: string): Promise<void> => writeFile(file, '{"version":1,"id":\0');
  const half = async (file: string): Promise<void> => truncate(file, (await readFile(file)).length >> 1);
  const nothing = (file: string): Promise<void> => truncate(file, 0);

  async function quarantined(): Promise<string> {
    return (await readdir(join(house.scratch.root, 'quarantine'), { recursive: true })).join('\n');
  }

  it.each([
    ['record.json', garbage],
    ['status.json', half],
    ['status.json', nothing],
  ])('of a pod (%s) ends the pod, and a new one takes its place', async (file, how) => {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    const log = await spoil(`sandboxes/${podId}/${file}`, how);
    expect(log).toContain(podId);
    expect(await quarantined()).toContain(podId);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    expect((await inspect(house, id)).status.state).toBe('CONTAINER_EXITED');
    await house.crictl.ok('rm', id);
    const again = await runPod(house, pod);
    expect((await inspectPod(house, again)).status.state).toBe('SANDBOX_READY');
    await house.crictl.ok('rmp', '-f', again);
    await house.assertEmpty();
  });

  it.each([
    ['record.json', garbage],
    ['status.json', half],
  ])('of a container (%s) ends the container, not the pod', async (file, how) => {
    const { podId, id } = await runWorkload(house);
    const log = await spoil(`containers/${id}/${file}`, how);
    expect(log).toContain(id);
    expect(await quarantined()).toContain(id);
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
    expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_READY');
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('of an attachment to the network does not keep the pod from going away', async () => {
    const { podId } = await runWorkload(house);
    await spoil(`cni/${podId}.json`, garbage);
    expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_READY');
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('of an image does not break containers, and the image can be pulled again', async () => {
    const { podId, id } = await runWorkload(house);
    const [file = ''] = await readdir(join(house.scratch.root, 'images', 'records'));
    await spoil(join('images', 'records', file), half);
    expect(await house.crictl.ok('images', '-q')).toBe('');
    expect(await house.crictl.ok('exec', '-s', id, 'echo', 'still here')).toBe('still here');
    await house.crictl.ok('pull', BUSYBOX);
    const another = await runWorkload(house);
    for (const own of [podId, another.podId]) await house.crictl.ok('rmp', '-f', own);
    await house.assertEmpty();
  });

  it('of a layer does not take it from containers that run on it', async () => {
    const { podId, id } = await runWorkload(house);
    const dir = join(house.scratch.root, 'images', 'layer-records');
    const layers = (): Promise<string[]> => readdir(join(house.scratch.root, 'images', 'layers'));
    const before = await layers();
    await house.daemon.stop();
    for (const file of await readdir(dir)) await garbage(join(dir, file));
    await house.daemon.start();
    expect(await house.crictl.ok('images', '-q')).toBe('');
    await house.crictl.ok('pull', BUSYBOX);
    await house.daemon.kill9();
    await house.daemon.start();
    expect(await layers()).toEqual(expect.arrayContaining(before));
    expect(await house.crictl.ok('exec', '-s', id, 'echo', 'still here')).toBe('still here');
    const another = await runWorkload(house);
    for (const own of [podId, another.podId]) await house.crictl.ok('rmp', '-f', own);
    await waitFor('stray layers removed', 10_000, async () =>
      (await layers()).some((each) => before.includes(each)) ? undefined : true,
    );
    await house.assertEmpty();
  });

  it.each([
    ['cut', half],
    ['empty', nothing],
    ['an empty object', (file: string) => writeFile(file, '{}')],
  ])('of the runtime (%s) keeps neither containers nor pods from being removed', async (_, how) => {
    const { podId, id } = await runWorkload(house);
    const { pid } = (await inspect(house, id)).info;
    const name = SETTINGS.runtime === 'crun' ? 'status' : 'state.json';
    for (const each of [podId, id]) await how(join(house.scratch.state, 'runtime', SETTINGS.runtime, each, name));
    const { code, stderr } = await house.crictl.run('exec', '-s', id, 'true');
    expect(code).not.toBe(0);
    expect(stderr).not.toContain('goroutine');
    expect(identify(pid ?? 0)).toBeDefined();
    await house.crictl.ok('stop', '--timeout', '1', id);
    await house.crictl.ok('rm', id);
    await house.crictl.ok('stopp', podId);
    await house.crictl.ok('rmp', podId);
    expect(identify(pid ?? 0)).toBeUndefined();
    await house.assertEmpty();
  });

  it('is none of the temporary files that a crash leaves', async () => {
    const { podId } = await runWorkload(house);
    const dir = join(house.scratch.root, 'sandboxes');
    await house.daemon.kill9();
    await writeFile(join(dir, podId, 'status.json.123.tmp'), 'half');
    await house.daemon.start();
    expect((await inspectPod(house, podId)).status.state).toBe('SANDBOX_READY');
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });

  it('keeps daemons from sharing one root, by another socket too', async () => {
    const config = join(house.scratch.dir, 'second.yaml');
    const own = await readFile(join(house.scratch.dir, 'gantry.yaml'), 'utf8');
    await writeFile(config, own.replace(house.scratch.socket, `${house.scratch.socket}.second`));
    const { code, said } = await gantryd(config);
    expect(code).not.toBe(0);
    expect(said).toContain(house.scratch.root);
    expect(await house.crictl.ok('version')).toContain('gantry');
  });

  it.each([
    ['an unknown key', 'log:\n  levle: debug\n', /broken\.yaml:2.*levle/],
    ['a wrong type', 'root: /tmp\nruntime:\n  timeout: soon\n', /broken\.yaml:3.*timeout/],
    ['a value that is none', 'cgroup_driver: systemdd\n', /broken\.yaml:1.*cgroup_driver/],
    ['a path that is not there', 'runtime:\n  monitor: /no/such/conmon\n', /broken\.yaml:2.*\/no\/such\/conmon/],
    ['no YAML', 'log: [\n', /broken\.yaml:\d/],
  ])('is not what a mistake in the configuration makes: %s', async (_, text, said) => {
    const config = join(house.scratch.dir, 'broken.yaml');
    await writeFile(config, text);
    const result = await gantryd(config);
    expect(result.code).not.toBe(0);
    expect(result.said).toMatch(said);
  });

  async function gantryd(config: string): Promise<{ code: number; said: string }> {
    const command = join(PROJECT_ROOT, 'bin', 'gantryd');
    const { exitCode, stdout, stderr } = await run(command, ['--config', config], { timeoutMs: patience(20_000) });
    return { code: exitCode, said: `${stdout.toString()}${stderr.toString()}` };
  }
});
