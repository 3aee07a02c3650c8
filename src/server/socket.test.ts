import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { bindSocket } from './socket.js';

let directory: string;
let path: string;
let server: Server;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-socket-'));
  path = join(directory, 'gantry.sock');
  server = new Server();
});

afterEach(async () => {
  server.close();
  await rm(directory, { recursive: true });
});

/** Leaves a socket file behind as a killed process does: Node would unlink it on a clean close. */
function makeStaleSocket(): void {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL');
}

describe('bindSocket', () => {
  it('makes the directory 0755 and the socket 0660', async () => {
    const nested = join(directory, 'run', 'gantry.sock');
    expect(await bindSocket(server, `unix://${nested}`)).toBe(nested);
    const socket = await stat(nested);
    expect(socket.isSocket()).toBe(true);
    expect(socket.mode & 0o777).toBe(0o660);
    expect((await stat(join(directory, 'run'))).mode & 0o777).toBe(0o755);
  });

  it('leaves the mode of an existing directory alone', async () => {
    await chmod(directory, 0o700);
    await bindSocket(server, path);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  it('replaces a stale socket', async () => {
    makeStaleSocket();
    expect((await stat(path)).isSocket()).toBe(true);
    expect(await bindSocket(server, path)).toBe(path);
  });

  it('refuses a live one, which goes on', async () => {
    const other = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => other.listen(path, resolve));
    try {
      await expect(bindSocket(server, path)).rejects.toMatchObject({
        code: 'failed-precondition',
        message: `another server is listening on ${path}`,
      });
      expect((await stat(path)).isSocket()).toBe(true);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  it('refuses what is not a socket, and keeps it', async () => {
    await writeFile(path, 'precious');
    await expect(bindSocket(server, path)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: `${path} exists and is not a socket`,
    });
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it('does not follow a symbolic link', async () => {
    await symlink(join(directory, 'elsewhere'), path);
    await expect(bindSocket(server, path)).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('accepts a path of 107 bytes and no more', async () => {
    const fitting = join(directory, 'x'.repeat(107 - directory.length - 1));
    expect(await bindSocket(server, fitting)).toBe(fitting);
    await expect(bindSocket(new Server(), `${fitting}y`)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: `listen ${fitting}y has 108 bytes; a unix socket's path has at most 107`,
    });
  });

  it.each(['gantry.sock', 'unix://gantry.sock', 'tcp://127.0.0.1:80', '', '/run/a\0b'])(
    'refuses %j',
    async (listen) => {
      await expect(bindSocket(server, listen)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );
});
