import { readFile, writeFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TestClient } from '../src/server/testing.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runWorkload } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const MB = 1_000_000;
const { calls, bytes } = SETTINGS.full ? { calls: 30, bytes: 200 * MB } : { calls: 20, bytes: 40 * MB };

/** One field of the daemon's /proc/PID/status, in MB. */
async function memory({ daemon }: House, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1000;
}

describe('the memory of ExecSync', () => {
  let house: House;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    ({ podId, id } = await runWorkload(house));
  });
  afterAll(async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.close();
  });

  it(
    `is bounded over ${calls} calls at once of ${bytes / MB} MB each, shared among them, and given back`,
    async () => {
      const client = new TestClient(house.scratch.socket);
      const exec = (script: string) => client.call('ExecSync', { containerId: id, cmd: ['sh', '-c', script] });
      const together = (script: string) => Promise.all(Array.from({ length: calls }, () => exec(script)));
      await together('true');
      const idle = await memory(house, 'VmRSS');
      await writeFile(`/proc/${house.daemon.pid}/clear_refs`, '5');
      for (const { stdout, stderr, exitCode } of await together(`head -c ${bytes} /dev/zero; echo probe >&2`)) {
        expect(exitCode).toBe(0);
        // Each has something of its own, and is told what it has not.
        expect(stdout?.length).toBeGreaterThan(16 * 1024);
        expect(Buffer.from(stdout ?? '').toString('latin1', -60)).toContain('[output cut after');
        expect(Buffer.from(stderr ?? '').toString()).toBe('probe\n');
      }
      client.close();
      const peak = await memory(house, 'VmHWM');
      let after = 0;
      await waitFor('memory given back', 60_000, async () => {
        after = await memory(house, 'VmRSS');
        return after < idle + 50 ? true : undefined;
      });
      expect(peak - idle).toBeLessThan(300);
    },
    patience(600_000),
  );
});
