import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { freePort } from './harness/ports.js';
import { waitFor } from './harness/wait.js';

/** Of open files: fewer than there are silent clients. */
const LIMIT = 256;
const CLIENTS = 400;

describe(`a daemon with ${LIMIT} descriptors and clients that say nothing`, () => {
  let house: House;
  let metricsPort: number;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    metricsPort = await freePort();
    house = await openHouse(
      () => Promise.resolve({ metrics: { port: metricsPort } }),
      () => ['prlimit', `--nofile=${LIMIT}:${LIMIT}`],
    );
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await house.close();
  });

  async function besiege(target: NetConnectOpts, bytes: string): Promise<void> {
    for (let n = 0; n < CLIENTS; n++) {
      const socket = await connected(target);
      sockets.push(socket);
      socket.write(bytes);
    }
  }

  /** The kernel has no room for a caller of a socket whose daemon is busy: EAGAIN. */
  function connected(target: NetConnectOpts): Promise<Socket> {
    return waitFor('a connection', 20_000, async () => {
      const socket = connect(target);
      await once(socket, 'connect');
      socket.on('error', () => undefined);
      return socket;
    });
  }

  async function liveAndDie(): Promise<void> {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    expect(await house.crictl.ok('exec', '-s', id, 'echo', 'sync')).toBe('sync');
    expect(await house.crictl.ok('exec', id, 'echo', 'spdy')).toBe('spdy');
    expect(await house.crictl.ok('exec', '-r', 'websocket', id, 'echo', 'websocket')).toBe('websocket');
    await house.crictl.ok('rmp', '-f', podId);
  }

  async function streamingPort(): Promise<number> {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const { url } = await callCri(house, 'PortForward', { podSandboxId: podId, port: [80] });
    await house.crictl.ok('rmp', '-f', podId);
    return Number(new URL(url ?? '').port);
  }

  it('runs pods and commands all the same', async () => {
    await liveAndDie();
    const port = await streamingPort();
    const host = '127.0.0.1';
    await besiege({ host, port }, '');
    await besiege({ host, port }, 'GET /exec/x HTTP/1.1\r\nHost: x\r\nX: ');
    await besiege({ host, port: metricsPort }, 'GET /metrics');
    await besiege({ path: house.scratch.socket }, '');
    await besiege({ path: house.scratch.socket }, 'PRI * HTTP/2.0\r\n');
    const held = (await readdir(`/proc/${house.daemon.pid}/fd`)).length;
    expect(held).toBeLessThan(LIMIT - 64);
    await liveAndDie();
    expect(await house.daemon.log()).not.toContain('EMFILE');
  });

  it('has its descriptors back when they are gone', async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await waitFor('end of the connections', 20_000, async () => {
      const fds = await readdir(`/proc/${house.daemon.pid}/fd`);
      return fds.length < 100 ? true : undefined;
    });
    await liveAndDie();
    await house.assertEmpty();
  });
});
