import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { statusOf, TestClient } from '../src/server/testing.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';

describe('a daemon whose log nobody reads', () => {
  let house: House;
  beforeAll(async () => {
    // The pipe has a reader, the daemon itself, which never reads.
    house = await openHouse(undefined, ({ dir }) => {
      const script = `mkfifo ${join(dir, 'log')} && exec 3<>${join(dir, 'log')} && exec "$@" 2>&3`;
      return ['sh', '-c', script, 'sh'];
    });
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());

  it('goes on, and ends when it is told to', async () => {
    const client = new TestClient(house.scratch.socket);
    // Each of these is a line; a pipe holds some hundred.
    for (let n = 0; n < 2_000; n++) {
      const { code } = await statusOf(client.call('ContainerStatus', { containerId: `no-such-container-${n}` }));
      expect(code).toBe(status.NOT_FOUND);
    }
    client.close();
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    expect(await house.crictl.ok('exec', id, 'echo', 'alive')).toBe('alive');
    await house.crictl.ok('rmp', '-f', podId);
    expect(await house.daemon.stop()).toBe(0);
  });
});

describe('a daemon that is asked for ids of any length', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());

  it('answers with what fits into a header, and logs no more of them than of others', async () => {
    const client = new TestClient(house.scratch.socket);
    const id = 'x'.repeat(15 << 20);
    const before = (await stat(house.daemon.logFile)).size;
    for (const answer of [
      statusOf(client.call('PodSandboxStatus', { podSandboxId: id })),
      statusOf(client.call('ContainerStatus', { containerId: id })),
      statusOf(client.call('StopPodSandbox', { podSandboxId: id })),
      statusOf(client.call('ExecSync', { containerId: id, cmd: [id.slice(1 << 20)] })),
      statusOf(client.call('ImageStatus', { image: { image: id } })),
      statusOf(client.call('PullImage', { image: { image: id } })),
      statusOf(client.call('RunPodSandbox', { config: { metadata: { name: id } } })),
    ]) {
      const { code, details } = await answer;
      expect([status.OK, status.NOT_FOUND, status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]).toContain(code);
      expect(details.length).toBeLessThan(7_000);
    }
    client.close();
    expect((await stat(house.daemon.logFile)).size - before).toBeLessThan(200_000);
  });
});
