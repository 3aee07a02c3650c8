import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { silentLogger } from '../../base/log.js';
import { until } from '../../base/testing.js';
import { imageOf } from '../../image-service/image-fixture.js';
import type { ImageServiceOptions } from '../../image-service/image-service.js';
import { hello, PullHouse, serveImage } from '../../image-service/pull-fixture.js';
import { startServer, type RunningServer } from '../../server/server.js';
import { adminHandlers, adminStreams } from '../../daemon/admin.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

// Each command is a process, and some tests run ten.
jest.setTimeout(120_000);

let house: PullHouse;
let server: RunningServer;

beforeEach(async () => {
  house = await new PullHouse().open();
  await serve();
});

/** Serves the house's images on its socket. */
async function serve(): Promise<void> {
  const listen = `${house.root}/gantry.sock`;
  const admin = { admin: adminHandlers(house.service), adminStreams: adminStreams(house.service) };
  server = await startServer({ listen, handlers: {}, ...admin, logger: silentLogger() });
  server.setReady();
}

async function restart(options: Partial<ImageServiceOptions>): Promise<void> {
  await server.drain(1000);
  await house.open(options);
  await serve();
}

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
    const child = execFile(process.execPath, all, { maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
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
    expect(failed).toEqual({ code: 1, stdout: '', stderr: 'gantry: image "example.test/other" is not here\n' });
  });

  it('says once what is wrong, also where no daemon is', async () => {
    const streamed = await gantry(['image', 'pull', 'Bad:x']);
    expect(streamed.stderr).toBe('gantry: image reference "Bad:x": "Bad" may not be part of a repository\'s name\n');
    for (const command of ['list', 'pull'])
      expect(
        await gantry(['--address', '/nowhere.sock', 'image', command, ...(command === 'pull' ? ['x'] : [])]),
      ).toEqual({
        code: 1,
        stdout: '',
        stderr: 'gantry: no daemon answers at /nowhere.sock: connect ENOENT /nowhere.sock\n',
      });
  });

  it('says that the daemon ended before it answered', async () => {
    const sessions: ServerHttp2Session[] = [];
    const dying = createHttp2Server().on('session', (session) => sessions.push(session));
    dying.on('stream', () => sessions.forEach((session) => session.destroy()));
    const address = `${house.root}/dying.sock`;
    await once(dying.listen(address), 'listening');
    const results: Result[] = [];
    for (const args of [['list'], ['pull', 'x']]) results.push(await gantry(['--address', address, 'image', ...args]));
    dying.close();
    const said = { code: 1, stdout: '', stderr: `gantry: the daemon at ${address} ended before it answered\n` };
    expect(results).toEqual([said, said]);
  });

  it('inspects annotations, and configurations of megabytes', async () => {
    const labels = { long: 'x'.repeat(4_190_000) };
    const image = imageOf({
      layers: [[{ name: 'x' }]],
      config: { Labels: labels },
      spoil: (manifest) => (manifest['annotations'] = { maker: 'me' }),
    });
    await house.registry('example.test', serveImage(image));
    await gantry(['image', 'pull', 'example.test/x']);
    const inspected = JSON.parse((await gantry(['image', 'inspect', 'example.test/x'])).stdout) as object;
    expect(inspected).toMatchObject({ annotations: { maker: 'me' }, config: { config: { Labels: labels } } });
  });

  it('checks what is stored, and repairs it', async () => {
    await house.registry('example.test', serveImage(hello));
    await gantry(['image', 'pull', 'example.test/x']);
    const whole = await gantry(['image', 'check']);
    expect(whole).toMatchObject({ code: 0, stdout: '1 layers counted, 0 images damaged\n' });
    rmSync(`${house.root}/images/layers/1/etc/hello`);
    const damaged = await gantry(['image', 'check']);
    expect(damaged.stdout).toMatch(
      /^example.test\/x:latest .* \(damaged\): layer sha256:.* has 1 files and directories, not 2$/m,
    );
    expect(damaged.code).toBe(1);
    const repaired = await gantry(['image', 'check', '--repair']);
    expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining(' (removed): ') as unknown });
    expect(house.service.list()).toEqual([]);
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

describe('progress', () => {
  const short = hello.blobs[1]?.digest.slice(7, 19) ?? '';

  it('is a line a layer on standard error, where that is no terminal', async () => {
    await house.registry('example.test', serveImage(hello));
    const { stdout, stderr } = await gantry(['image', 'pull', 'example.test/x:v1']);
    expect(stdout).toBe(`example.test/x:v1 ${hello.id}\n`);
    expect(stderr).toMatch(new RegExp(`^(?:${short}: (?:waiting|fetching|done), [\\d.]+ k?B\n)*$`));
  });

  it('is a bar a layer on a terminal', async () => {
    await house.registry('example.test', slowly(serveImage(hello), `/blobs/${hello.blobs[1]?.digest ?? ''}`));
    const command = `${process.execPath} ${MAIN} --address ${house.root}/gantry.sock image pull example.test/x:v1`;
    const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm' },
    });
    expect(stdout).toContain(`${short} [`);
    expect(stdout).toMatch(/100% \d+ B of \d+ B/);
    expect(stdout).toContain(`example.test/x:v1 ${hello.id}`);
  });

  it('gives the terminal its cursor back when it is interrupted', async () => {
    await house.registry('example.test', slowly(serveImage(hello), `/blobs/${hello.blobs[1]?.digest ?? ''}`));
    const command = `${process.execPath} ${MAIN} --address ${house.root}/gantry.sock image pull example.test/x:v1`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, TERM: 'xterm' } });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const closed = once(child, 'close');
    await until(() => shown.includes(`${short} [`));
    child.stdin.write('\u0003');
    expect(await closed).toEqual([130, null]);
    expect(shown.lastIndexOf('\u001b[?25h')).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
    expect(shown).not.toContain('example.test/x:v1 ');
  });

  /** Holds one answer back for as long as the progress is told twice. */
  function slowly(serve: RequestListener, path: string): RequestListener {
    return (request, response) => {
      if (request.url?.includes(path)) setTimeout(() => serve(request, response), 700);
      else serve(request, response);
    };
  }
});

describe('gantry image export', () => {
  beforeEach(async () => {
    await house.registry('example.test', serveImage(hello));
    await gantry(['image', 'pull', 'example.test/x:v1']);
  });

  it.each([
    ['oci', 'oci-archive'],
    ['docker', 'docker-archive'],
  ])('writes a file in the format %s that skopeo reads', async (format, transport) => {
    const file = `${house.root}/x.tar`;
    const { code, stdout, stderr } = await gantry([
      'image',
      'export',
      '--format',
      format,
      '-o',
      file,
      'example.test/x:v1',
    ]);
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(
      /^example\.test\/x:v1: packed anew, the image is sha256:\w+ in the archive and sha256:\w+ here\n$/,
    );
    const inspected = await promisify(execFile)('skopeo', ['inspect', '--config', `${transport}:${file}`]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({ config: { User: '7', Cmd: ['/bin/hello'] } });
    const imported = await gantry(['image', 'import', file]);
    expect(imported.stdout).toBe(`example.test/x:v1 ${/is (sha256:\w+)/.exec(stderr)?.[1] ?? ''}\n`);
    expect((await gantry(['image', 'export', '-o', file, 'example.test/x:v1'])).stderr).toContain('EEXIST');
  });

  it('writes a directory, or to standard output', async () => {
    const directory = `${house.root}/layout`;
    await gantry(['image', 'export', '--directory', '-o', directory, hello.id]);
    expect(readdirSync(directory).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect((await gantry(['image', 'import', directory])).stdout).toContain('example.test/x:v1');
    const command = `${process.execPath} ${MAIN} --address ${house.root}/gantry.sock image export example.test/x:v1 | tar -t`;
    expect((await promisify(execFile)('sh', ['-c', command])).stdout.split('\n')).toContain('index.json');
  });

  it('says what is wrong', async () => {
    const failed = async (...args: string[]): Promise<string> => (await gantry(['image', 'export', ...args])).stderr;
    expect(await failed('example.test/none')).toContain('is not here');
    expect(await failed('--format', 'zip', 'example.test/x:v1')).toContain('format "zip" is not known');
    const output = `${house.root}/failed`;
    expect(await failed('-o', output, 'example.test/none')).toContain('is not here');
    expect(existsSync(output)).toBe(false);
    expect(await failed('--directory', '-o', output, 'example.test/none')).toContain('is not here');
    expect(existsSync(output)).toBe(false);
    expect(await failed('--directory', 'example.test/x:v1')).toContain('--directory needs --output');
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

  it('tells the proxy, and which file or helper has the credentials', async () => {
    const authFile = `${house.root}/auth.json`;
    writeFileSync(authFile, JSON.stringify({ auths: { 'r.test/team': { auth: 'bWU6c2VjcmV0' } } }));
    await restart({ authFiles: [authFile], environment: { HTTPS_PROXY: 'http://me:secret@proxy.test:3128' } });
    const { stdout } = await gantry(['registry', 'explain', 'r.test/team/x']);
    expect(stdout).toContain('     through the proxy proxy.test:3128\n');
    expect(stdout).toContain(`credentials: the entry r.test/team of ${authFile}\n`);
    expect(stdout).not.toContain('secret');
  });

  it('tells what the signature policy says', async () => {
    const signaturePolicy = `${house.root}/policy.json`;
    const keyPath = '/k';
    const docker = {
      'signed.test': [{ type: 'sigstoreSigned', keyPath }],
      'bad.test': [{ type: 'reject' }],
    };
    const policy = { default: [{ type: 'insecureAcceptAnything' }], transports: { docker } };
    writeFileSync(signaturePolicy, JSON.stringify(policy));
    await restart({ signaturePolicy });
    const explained = async (image: string): Promise<string> => (await gantry(['registry', 'explain', image])).stdout;
    const from = (registry: string): string => `${signaturePolicy} (transports.docker["${registry}"])`;
    expect(await explained('signed.test/x')).toContain(`\n  signatures: required by ${from('signed.test')}\n`);
    expect(await explained('other.test/x')).toContain(`\n  signatures: not required by ${signaturePolicy} (default)\n`);
    expect(await explained('bad.test/x')).toBe(
      `bad.test/x:latest\n  cannot be pulled: bad.test/x:latest is rejected by ${from('bad.test')}\n`,
    );
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

describe('gantry seccomp print', () => {
  const printed = async (...args: readonly string[]) =>
    JSON.parse((await gantry(['seccomp', 'print', ...args])).stdout) as { syscalls: { names: string[] }[] };
  const names = ({ syscalls }: Awaited<ReturnType<typeof printed>>): string[] => syscalls.flatMap((rule) => rule.names);

  it('prints the profile whole, and as a container gets it', async () => {
    expect(await printed()).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO', archMap: expect.anything() });
    expect(names(await printed())).toContain('mount');
    expect(names(await printed('--resolved'))).not.toContain('mount');
    expect(names(await printed('--resolved', '--cap-add', 'sys_admin'))).toContain('mount');
    expect(await gantry(['seccomp', 'print', '--resolved', '--cap-add', 'nope'])).toMatchObject({ code: 1 });
  });
});
