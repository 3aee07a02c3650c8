import { createServer } from 'node:net';

import { describe, expect, it } from '@jest/globals';

import { openFiles } from './open-files.js';

describe('openFiles', () => {
  it('counts descriptors and sockets of living processes, with the first one’s limit', async () => {
    const before = await openFiles([process.pid], process.pid);
    const servers = [createServer(), createServer()];
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))));
    const after = await openFiles([process.pid, 2 ** 22 + 1], process.pid);
    for (const server of servers) server.close();
    expect((after?.sockets ?? 0) - (before?.sockets ?? 0)).toBe(2);
    expect((after?.descriptors ?? 0) - (after?.sockets ?? 0)).toBeGreaterThan(2);
    expect(after?.limit).toBeGreaterThan(0);
  });

  it('is none of processes that have ended', async () => {
    expect(await openFiles([2 ** 22 + 1], 2 ** 22 + 1)).toBeUndefined();
    expect(await openFiles([], process.pid)).toBeUndefined();
  });
});
