import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { openHouse, type House } from './harness/house.js';
import type { Scratch } from './harness/scratch.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const TIMEOUT_SECONDS = patience(6_000) / 1000;
/** Those that hang at once: more than there may be creations side by side. */
const HANGING = 6;

describe('a runtime that hangs', () => {
  let house: House;
  /** While this file is there, every `create` of the handler "slow" hangs. */
  const flag = (scratch: Scratch): string => join(scratch.dir, 'hang');
  beforeAll(async () => {
    house = await openHouse(async (scratch) => {
      const path = join(scratch.dir, 'slow-runtime');
      const hang = `case " $* " in *" create "*) [ ! -e ${flag(scratch)} ] || exec sleep 600;; esac`;
      await writeFile(path, `#!/bin/sh\n${hang}\nexec ${SETTINGS.runtime} "$@"\n`);
      await chmod(path, 0o755);
      return { runtime: { timeout: TIMEOUT_SECONDS, handlers: { slow: { path } } } };
    });
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());

  beforeEach(async () => {
    // What a test that failed half-way has left.
    if (!house.daemon.running) await house.daemon.start();
    await house.crictl.ok('rmp', '-fa');
  });

  async function hangs(yes: boolean): Promise<void> {
    if (yes) await writeFile(flag(house.scratch), '');
    else await rm(flag(house.scratch), { force: true });
  }

  it('ends at its timeout, with everything undone, and holds nobody up', async () => {
    await hangs(true);
    const started = Date.now();
    const files = await Promise.all(Array.from({ length: HANGING }, () => writePod(house)));
    const slow = Promise.all(files.map((pod) => house.crictl.run('runp', '--runtime', 'slow', pod.path)));
    await sleep(500);
    const pod = await writePod(house);
    const id = await runPod(house, pod);
    const container = await runContainer(house, id, { pod, container: await writeContainer(house) });
    expect(await house.crictl.ok('pods', '-q')).toBe(id);
    expect(await house.crictl.ok('ps', '-q')).toBe(container);
    // All this while the others hang.
    expect(Date.now() - started).toBeLessThan(TIMEOUT_SECONDS * 1000);
    for (const { code, stderr } of await slow) {
      expect(code).not.toBe(0);
      expect(stderr).toContain('code = DeadlineExceeded');
      expect(stderr).toContain('slow');
    }
    await house.crictl.ok('rmp', '-f', id);
    await house.assertEmpty();
  });

  it('works as soon as it does not hang any more, for the very same pod', async () => {
    const pod = await writePod(house);
    await hangs(true);
    expect((await house.crictl.run('runp', '--runtime', 'slow', pod.path)).stderr).toContain('DeadlineExceeded');
    await hangs(false);
    const id = await house.crictl.ok('runp', '--runtime', 'slow', pod.path);
    await house.crictl.ok('rmp', '-f', id);
  });

  it('does not keep a container’s pod from being used and removed', async () => {
    await hangs(false);
    const pod = await writePod(house);
    const id = await house.crictl.ok('runp', '--runtime', 'slow', pod.path);
    await hangs(true);
    const { stderr } = await house.crictl.run('create', id, await writeContainer(house), pod.path);
    expect(stderr).toContain('code = DeadlineExceeded');
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
    await hangs(false);
    const container = await runContainer(house, id, { pod, container: await writeContainer(house) });
    expect((await inspect(house, container)).status.state).toBe('CONTAINER_RUNNING');
    await hangs(true);
    await house.crictl.ok('rmp', '-f', id);
    await house.assertEmpty();
  });

  it('is joined by those who ask again', async () => {
    await hangs(false);
    const pod = await writePod(house);
    const ids = await Promise.all([1, 2, 3].map(() => runPod(house, pod)));
    expect(new Set(ids).size).toBe(1);
    expect(await house.crictl.ok('pods', '-q')).toBe(ids[0]);
    await house.crictl.ok('rmp', '-f', ids[0] ?? '');
  });

  it('is no matter to a daemon that is killed and comes back', async () => {
    await hangs(true);
    const pod = await writePod(house);
    const slow = house.crictl.run('runp', '--runtime', 'slow', pod.path);
    await sleep(500);
    await house.daemon.kill9();
    await slow;
    await house.daemon.start();
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    await waitFor('end of what hung', 20_000, async () => {
      await house.assertEmpty();
      return true;
    });
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
