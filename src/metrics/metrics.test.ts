import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { Metrics } from './metrics.js';
import { MetricsServer } from './server.js';

let metrics: Metrics;
let server: MetricsServer;
let troubles: { server: string; forSeconds: number }[];

beforeEach(async () => {
  troubles = [{ server: 'https://a.test/v2', forSeconds: 30 }];
  metrics = new Metrics({
    version: '1.2.3',
    sandboxes: () => ['ready', 'ready', 'not-ready'],
    containers: () => [],
    images: () => ({ count: 2, bytes: 4096, inodes: 7, capacityBytes: 100, availableBytes: 50 }),
    registryTroubles: () => troubles,
  });
  server = await MetricsServer.start({
    address: '127.0.0.1',
    port: 0,
    metrics,
    maxConnections: 16,
    logger: silentLogger(),
  });
});
afterEach(() => server.stop());

const ask = (path = '/metrics', init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.port}${path}`, init);
const lines = async (): Promise<string[]> => (await (await ask()).text()).split('\n');

describe('metrics', () => {
  it('tell what calls and pulls came to', async () => {
    metrics.onCall({ rpc: 'PullImage', seconds: 3, streams: false });
    metrics.onCall({ rpc: 'PullImage', seconds: 0.002, code: 'not-found', streams: false });
    metrics.onCall({ rpc: 'GetContainerEvents', seconds: 1e6, code: 'cancelled', streams: true });
    metrics.onPull({ seconds: 3 });
    metrics.onPull({ seconds: 1, code: 'not-found' });
    metrics.onBytes(1000);
    metrics.onBytes(24);
    const told = await lines();
    for (const line of [
      'gantry_rpc_duration_seconds_count{rpc="PullImage"} 2',
      'gantry_rpc_duration_seconds_bucket{le="2",rpc="PullImage"} 1',
      'gantry_rpc_failures_total{rpc="PullImage",code="not-found"} 1',
      'gantry_rpc_failures_total{rpc="GetContainerEvents",code="cancelled"} 1',
      'gantry_image_pull_duration_seconds_count 1',
      'gantry_image_pull_failures_total{code="not-found"} 1',
      'gantry_image_pull_bytes_total 1024',
    ])
      expect(told).toContain(line);
    expect(told.join('\n')).not.toContain('gantry_rpc_duration_seconds_count{rpc="GetContainerEvents"}');
  });

  it('tell how things are now', async () => {
    const told = await lines();
    for (const line of [
      'gantry_build_info{version="1.2.3"} 1',
      'gantry_sandboxes{state="ready"} 2',
      'gantry_sandboxes{state="not-ready"} 1',
      'gantry_registry_server_trouble_seconds{server="https://a.test/v2"} 30',
      'gantry_images 2',
      'gantry_image_store_bytes 4096',
      'gantry_image_store_inodes 7',
      'gantry_image_filesystem_available_bytes 50',
    ])
      expect(told).toContain(line);
    troubles = [];
    expect((await lines()).filter((line) => line.startsWith('gantry_registry_server_trouble_seconds'))).toEqual([]);
  });

  it.each(['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds'])(
    'tell of the process: %s',
    async (name) => {
      const value = (await lines()).find((line) => line.startsWith(`${name} `))?.split(' ')[1];
      expect(Number(value)).toBeGreaterThan(0);
    },
  );

  it('are all that is served', async () => {
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metrics', { method: 'POST' })).status).toBe(405);
    const head = await ask('/metrics?x=1', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(head.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it('need a port that is free', async () => {
    const again = MetricsServer.start({
      address: '127.0.0.1',
      port: server.port,
      metrics,
      maxConnections: 16,
      logger: silentLogger(),
    });
    expect(await again.catch(codeOf)).toBe('unavailable');
  });
});
