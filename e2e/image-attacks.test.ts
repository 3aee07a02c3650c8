import { readFile, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';

import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { mirrorTree } from './harness/mirror-tree.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { patience } from './harness/settings.js';
import { waitFor } from './harness/wait.js';
import { attacks, serveAttacks, type Attack } from './hostile/attacks.js';

/** MB that the daemon may take with all its threads, and more than before when it is over. */
const MOST_MB = 300;
const LEFT_MB = 50;
const ALL = attacks();
/** Whose images the attacks are; the others come from the suite's own registry. */
const HOST = 'attacks.test';

describe('images that take what others need', () => {
  let house: House;
  let server: Server;
  let idleMb: number;
  beforeAll(async () => {
    house = await openHouse(() => Promise.resolve({ image: { stall_timeout: 20 } }));
    const served = await serveAttacks(ALL);
    server = served.server;
    await mirrorTree(house.scratch.hosts, served.address, [HOST]);
    // What the first pod and the first pull load stays.
    await workload();
    idleMb = await memoryMb();
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await house.close();
  });

  async function memoryMb(field: 'VmRSS' | 'VmHWM' = 'VmRSS'): Promise<number> {
    const text = await readFile(`/proc/${house.daemon.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  }

  /** Begins VmHWM, the most of all, anew (proc(5)). */
  const forgetMost = (): Promise<void> => writeFile(`/proc/${house.daemon.pid}/clear_refs`, '5');

  async function workload(): Promise<void> {
    await house.crictl.ok('pull', BUSYBOX);
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    await runContainer(house, podId, { pod, container: await writeContainer(house) });
    await house.crictl.ok('rmp', '-f', podId);
    await house.crictl.ok('rmi', BUSYBOX);
  }

  /** The code and message of a pull that failed; undefined for one that did not. */
  async function outcome({ name }: Attack): Promise<{ code: string | undefined; details: string } | undefined> {
    try {
      await callCri(house, 'PullImage', { image: { image: `${HOST}/${name}:1` } });
      return undefined;
    } catch (error) {
      const { code, details } = error as ServiceError;
      return { code: status[code], details };
    }
  }

  it.each(ALL.map((each) => [each.what, each] as const))(
    '%s hold up no pod and no other image, and leave the memory as it was',
    async (_, attack) => {
      await forgetMost();
      const done = outcome(attack);
      await workload();
      const failed = await done;
      if (attack.trickles) {
        expect(failed).toEqual({
          code: 'UNAVAILABLE',
          details: expect.stringMatching(/sends too slowly: \d+ bytes in 2\d s/),
        });
      } else if (attack.says !== undefined) {
        expect(['DATA_LOSS', 'RESOURCE_EXHAUSTED']).toContain(failed?.code);
        expect(failed?.details).toMatch(attack.says);
      } else expect(failed).toBeUndefined();
      expect(await memoryMb('VmHWM')).toBeLessThan(MOST_MB);
      await callCri(house, 'RemoveImage', { image: { image: `${HOST}/${attack.name}:1` } });
      // Threads that are idle end after ten seconds.
      await waitFor('memory given back', 60_000, async () =>
        (await memoryMb()) < idleMb + LEFT_MB ? true : undefined,
      );
    },
    patience(180_000),
  );

  it('leave nothing behind', () => house.assertEmpty());
});
