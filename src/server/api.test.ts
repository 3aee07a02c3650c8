import { describe, expect, it } from '@jest/globals';
import Long from 'long';
import { runtime } from '../../api/cri/generated/api.cjs';
import { RPCS } from '../../api/cri/generated/services.js';

const { v1 } = runtime;

describe('generated API', () => {
  it('round-trips a message with 64-bit numbers, maps and enums', () => {
    const createdAt = Long.fromString('1753000000123456789');
    const sandbox: runtime.v1.IPodSandbox = {
      id: 'a',
      metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 2 },
      state: v1.PodSandboxState.SANDBOX_NOTREADY,
      createdAt,
      labels: { app: 'web' },
    };
    const decoded = v1.PodSandbox.decode(v1.PodSandbox.encode(sandbox).finish());
    expect(decoded.createdAt.toString()).toBe('1753000000123456789');
    expect(decoded.metadata?.attempt).toBe(2);
    expect(decoded.labels).toEqual({ app: 'web' });
    expect(v1.PodSandboxState[decoded.state]).toBe('SANDBOX_NOTREADY');
    expect(decoded.annotations).toEqual({});
  });

  it('decodes an absent message to null and an absent number to zero', () => {
    const decoded = v1.PodSandboxStatus.decode(new Uint8Array());
    expect(decoded.metadata).toBeNull();
    expect(decoded.createdAt.toNumber()).toBe(0);
  });

  it('lists every RPC of both services with its path', () => {
    const rpcs = Object.values(RPCS);
    expect(rpcs.filter((rpc) => rpc.service === 'RuntimeService')).toHaveLength(35);
    expect(rpcs.filter((rpc) => rpc.service === 'ImageService')).toHaveLength(6);
    expect(RPCS.PullImage.path).toBe('/runtime.v1.ImageService/PullImage');
    expect(RPCS.PullImage.request).toBe(v1.PullImageRequest);
    expect(RPCS.GetContainerEvents.streams).toBe(true);
  });
});
