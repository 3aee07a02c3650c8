import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';

import { runtime } from '../../api/cri/generated/api.cjs';
import { RPCS } from '../../api/cri/generated/services.js';
import { notFound } from '../base/errors.js';
import { MAX_MESSAGE_BYTES } from './codec.js';
import type { CallContext, Handlers } from './handlers.js';
import { startBench, statusOf, type Bench, type BenchOptions } from './testing.js';

let bench: Bench | undefined;

async function serve(handlers: Handlers, options?: BenchOptions): Promise<Bench> {
  bench = await startBench(handlers, options);
  return bench;
}

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const version: Handlers = {
  Version: (request) => Promise.resolve({ version: request.version, runtimeName: 'gantry' }),
};

describe('a call', () => {
  it('carries the decoded request to the handler and its response back', async () => {
    const { client } = await serve(version);
    expect(await client.call('Version', { version: 'v1' })).toMatchObject({ version: 'v1', runtimeName: 'gantry' });
  });

  it('may be answered with bytes encoded before', async () => {
    const bytes = runtime.v1.ListContainersResponse.encode({ containers: [{ id: 'a' }, { id: 'b' }] }).finish();
    const { client } = await serve({ ListContainers: () => Promise.resolve(Uint8Array.from(bytes)) });
    const { containers } = await client.call('ListContainers');
    expect(containers?.map((container) => container.id)).toEqual(['a', 'b']);
  });

  it('has an id of its own, a logger and a signal, and a deadline only if the client set one', async () => {
    const seen: CallContext[] = [];
    const { client } = await serve({
      Status: (_request, ctx) => Promise.resolve({ info: { id: String(seen.push(ctx)) } }),
    });
    const deadline = Date.now() + 5000;
    await client.call('Status');
    await client.call('Status', {}, { deadline });
    expect(new Set(seen.map((ctx) => ctx.requestId)).size).toBe(2);
    expect(seen[0]?.deadline).toBeUndefined();
    expect(Math.abs((seen[1]?.deadline?.getTime() ?? 0) - deadline)).toBeLessThan(1000);
    expect(seen.map((ctx) => ctx.signal.aborted)).toEqual([false, false]);
  });
});

describe('a failing call', () => {
  it('answers the code and message of the error', async () => {
    const { client } = await serve({
      ContainerStatus: (request) => Promise.reject(notFound(`container "${request.containerId}"`)),
    });
    const answer = await statusOf(client.call('ContainerStatus', { containerId: 'ä\n1' }));
    expect(answer).toEqual({ code: status.NOT_FOUND, details: 'container "ä\n1"' });
  });

  it('is INTERNAL for an error without a code, thrown or rejected', async () => {
    const { client } = await serve({
      Status: () => Promise.reject(new TypeError('x is undefined')),
      ListImages: () => {
        throw new TypeError('y is undefined');
      },
    });
    expect(await statusOf(client.call('Status'))).toEqual({ code: status.INTERNAL, details: 'x is undefined' });
    expect(await statusOf(client.call('ListImages'))).toEqual({ code: status.INTERNAL, details: 'y is undefined' });
  });

  it("is UNIMPLEMENTED in the words of Go's servers without a handler, ready or not", async () => {
    const { client } = await serve({}, { ready: false });
    const refused = (details: string) => ({ code: status.UNIMPLEMENTED, details });
    const lacking = refused('unknown method ListPodSandboxMetrics for service runtime.v1.RuntimeService');
    expect(await statusOf(client.call('ListPodSandboxMetrics'))).toEqual(lacking);
    const unknown = (path: string) => statusOf(client.raw(path, new Uint8Array()));
    const nonsense = refused('unknown method Nonsense for service runtime.v1.RuntimeService');
    expect(await unknown('/runtime.v1.RuntimeService/Nonsense')).toEqual(nonsense);
    expect(await unknown('/runtime.v2.RuntimeService/Version')).toEqual(
      refused('unknown service runtime.v2.RuntimeService'),
    );
    expect(await unknown('/nonsense')).toEqual(refused('unknown service '));
  });

  it('is INVALID_ARGUMENT with its name for a request that cannot be decoded', async () => {
    const { client } = await serve(version);
    const malformed = Uint8Array.of(0x0a, 0x7f, 0x31);
    const answer = await statusOf(client.raw(RPCS.Version.path, malformed));
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
    expect(answer.details).toMatch(/^rpc Version: the request cannot be decoded: /);
  });

  it('is INVALID_ARGUMENT for a string that is not UTF-8', async () => {
    const { client } = await serve(version);
    const answer = await statusOf(client.raw(RPCS.Version.path, Uint8Array.of(0x0a, 0x02, 0xc3, 0x28)));
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
  });

  it.each([
    [{ podSandboxId: 'a\0' }, 'pod_sandbox_id'],
    [{ config: { command: ['sh', '-c', 'a\0b'] } }, 'config.command[2]'],
    [{ config: { mounts: [{}, { hostPath: '\0' }] } }, 'config.mounts[1].host_path'],
    [{ config: { CDIDevices: [{ name: '\0' }] } }, 'config.CDI_devices[0].name'],
    [{ config: { labels: { 'a b': '\0' } } }, 'config.labels["a b"]'],
    [{ config: { labels: { 'a\0': 'b' } } }, 'a key of config.labels'],
    [{ sandboxConfig: { linux: { cgroupParent: '/a\0' } } }, 'sandbox_config.linux.cgroup_parent'],
  ])('is INVALID_ARGUMENT with the field for a NUL: %j', async (request, field) => {
    const { client } = await serve({ CreateContainer: () => Promise.reject(new Error('reached')) });
    expect(await statusOf(client.call('CreateContainer', request))).toEqual({
      code: status.INVALID_ARGUMENT,
      details: `${field} has a NUL`,
    });
  });

  it('is none for a NUL in bytes', async () => {
    const { client } = await serve({ CreateContainer: () => Promise.resolve({ containerId: 'x' }) });
    const request = { config: { envs: [{ key: 'a', value: Buffer.from('\0') }] } };
    expect(await client.call('CreateContainer', request)).toMatchObject({ containerId: 'x' });
  });
});

describe('readiness', () => {
  it('answers only Version before it is set', async () => {
    const { client, server } = await serve({ ...version, Status: () => Promise.resolve({}) }, { ready: false });
    expect((await client.call('Version')).runtimeName).toBe('gantry');
    const refused = { code: status.UNAVAILABLE, details: 'gantryd is still recovering' };
    expect(await statusOf(client.call('Status'))).toEqual(refused);
    server.setReady();
    expect((await statusOf(client.call('Status'))).code).toBe(status.OK);
  });
});

describe('message limits', () => {
  // The field's tag and length take five bytes at this size.
  const text = (bytes: number): string => 'x'.repeat(bytes - 5);

  it('lets 16 MiB through both ways', async () => {
    const { client } = await serve(version);
    const answer = await client.call('Version', { version: text(MAX_MESSAGE_BYTES - 100) });
    expect(answer.version).toHaveLength(MAX_MESSAGE_BYTES - 105);
  });

  it('refuses a larger request', async () => {
    const { client } = await serve(version);
    const answer = await statusOf(client.call('Version', { version: text(MAX_MESSAGE_BYTES + 1) }));
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('refuses to send a larger response, and says which', async () => {
    const { client } = await serve({ Version: () => Promise.resolve({ version: text(MAX_MESSAGE_BYTES + 1) }) });
    expect(await statusOf(client.call('Version'))).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'rpc Version: the response has 16777217 bytes, the limit is 16777216',
    });
  });
});
