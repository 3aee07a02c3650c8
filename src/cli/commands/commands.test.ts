import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { silentLogger } from '../../base/log.js';
import { until } from '../../base/testing.js';
import { hello, PullHouse, serveImage } from '../../image-service/pull-fixture.js';
import { startServer, type RunningServer } from '../../server/server.js';
import { adminHandlers } from '../../daemon/admin.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

let house: PullHouse;
let server: RunningServer;

beforeEach(async () => {
  house = await new PullHouse().open();
  const listen = `${house.root}/gantry.sock`;
  server = await startServer({ listen, handlers: {}, admin: adminHandlers(house.service), logger: silentLogger() });
  server.setReady();
});
afterEach(async () => {
  await server.drain(1000);
  await house.close();
});

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command with text on its standard input. */
function gantry(args: readonly string[], input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const all = [MAIN, '--address', `${house.root}/gantry.sock`, ...args];
    const child = execFile(process.execPath, all, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

describe('gantry image', () => {
  it('pulls, lists, inspects, prunes and removes', async () => {
    await house.registry('example.test', serveImage(hello));
    const pulled = await gantry(['image', 'pull', 'example.test/pinned:v1']);
    expect(pulled).toMatchObject({ code: 0, stdout: `example.test/pinned:v1 ${hello.id}\n` });
    const table = (await gantry(['image', 'list'])).stdout.split('\n');
    expect(table[0]).toMatch(/^NAME +ID +SIZE +PINNED$/);
    expect(table[1]).toMatch(new RegExp(`^example.test/pinned:v1 +${hello.id.slice(7, 19)} +[\\d.]+ kB +yes$`));
    expect((await gantry(['image', 'prune'])).stdout).toBe('');
    const inspected = JSON.parse((await gantry(['image', 'inspect', hello.id])).stdout) as object;
    expect(inspected).toMatchObject({ id: hello.id, pinned: true, config: { config: { User: '7' } } });
    expect((await gantry(['image', 'remove', 'example.test/pinned:v1'])).stdout).toBe(`${hello.id}\n`);
    await gantry(['image', 'pull', 'example.test/other']);
    expect((await gantry(['image', 'prune'])).stdout).toContain(`example.test/other:latest ${hello.id} (`);
    expect(JSON.parse((await gantry(['image', 'list', '--json'])).stdout)).toEqual([]);
    const failed = await gantry(['image', 'remove', 'example.test/other']);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('is not here') as unknown });
  });

  it('pulls with credentials whose password is on no command line', async () => {
    const expected = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    await house.registry('example.test', (request, response) => {
      if (request.headers.authorization === expected) serveImage(hello)(request, response);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const pull = ['image', 'pull', 'example.test/x'];
    expect((await gantry(pull)).stderr).toContain('answered 401');
    expect((await gantry([...pull, '--username', 'me', '--password-stdin'], 'secret\n')).code).toBe(0);
    expect((await gantry([...pull, '--username', 'me'])).stderr).toContain('go together');
  });

  it('ends a pull with its caller', async () => {
    let gone = false;
    let asked = false;
    await house.registry('example.test', (request) => {
      asked = true;
      request.socket.on('close', () => (gone = true));
    });
    const args = [MAIN, '--address', `${house.root}/gantry.sock`, 'image', 'pull', 'example.test/x'];
    const child = execFile(process.execPath, args, () => undefined);
    await until(() => asked);
    child.kill('SIGKILL');
    await until(() => gone);
  });
});

describe('gantry registry explain', () => {
  it('tells each server in order, why, and with which credentials', async () => {
    const bad = await house.serve((_request, response) => void response.writeHead(503).end());
    const good = await house.serve(serveImage(hello));
    house.hosts('r.test', `server = "http://${good}"\n[host."http://${bad}"]\ncapabilities = ["pull", "resolve"]\n`);
    const file = `${house.root}/hosts/r.test/hosts.toml`;
    const before = await gantry(['registry', 'explain', 'r.test/team/x:v1']);
    expect(before.stdout.split('\n')).toEqual([
      'r.test/team/x:v1',
      `  1. http://${bad}/v2/team/x (mirror)`,
      `     because of ${file}`,
      '     asked for resolve and pull, TLS none, credentials: none',
      `  2. http://${good}/v2/team/x (upstream)`,
      `     because of ${file}`,
      '     asked for resolve and pull, TLS none, credentials: none',
      '',
    ]);
    await house.service.pull('r.test/team/x:v1');
    const [after] = JSON.parse((await gantry(['registry', 'explain', '--json', 'r.test/team/x:v1'])).stdout) as [
      object,
    ];
    expect(after).toMatchObject({
      servers: [{ role: 'upstream' }, { role: 'mirror', trouble: expect.stringMatching(/answered 503.*\d+ s more/) }],
    });
  });

  it('tells what is wrong with the configuration', async () => {
    house.hosts('r.test', 'sever = "x"');
    expect((await gantry(['registry', 'explain', 'r.test/x'])).stdout).toMatch(
      /cannot be pulled: .*sever is not known/,
    );
    expect(await gantry(['registry', 'explain', 'R/x'])).toMatchObject({ code: 0 });
    expect(await gantry(['registry', 'explain', '-x-'])).toMatchObject({ code: 1 });
  });
});
