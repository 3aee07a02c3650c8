import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from '@jest/globals';

import { endOf, MINIMAL_ENV, runOk, start } from './spawn.js';
import { makePipe, openDescriptor } from './sys/descriptor.js';

/** What a logger of these options writes to standard error when told `call`. */
async function logged(options: object, call: string): Promise<string> {
  const module = new URL('./log.js', import.meta.url).href;
  const code = `import { createLogger } from '${module}';
    const logger = createLogger(${JSON.stringify(options)}); ${call}`;
  const args = ['--input-type=module', '-e', code];
  const { stdout, stderr } = await runOk(process.execPath, args, { timeoutMs: 20_000, env: MINIMAL_ENV });
  expect(stdout.toString()).toBe('');
  return stderr.toString();
}

describe('createLogger', () => {
  it('writes JSON, an object a line, above its level', async () => {
    const call = `logger.debug('no'); logger.child({ sandbox: 'a' }).info({ n: 1 }, 'made'); logger.error('bad')`;
    const lines = (await logged({ level: 'info', format: 'json' }, call)).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as object);
    expect(entries).toEqual([
      { level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/), sandbox: 'a', n: 1, msg: 'made' },
      { level: 50, time: expect.stringMatching(/Z$/), msg: 'bad' },
    ]);
  });

  it('writes text for people, a line an entry whatever is in it', async () => {
    const call = `logger.warn({ id: 'a/b:1', why: 'x y', many: [1], bad: 'a\\nb' }, 'two\\nlines'); logger.info('no')`;
    const text = await logged({ level: 'warn', format: 'text' }, call);
    expect(text).toMatch(/^\S+Z WARN two lines id=a\/b:1 why="x y" many="\[1\]" bad="a\\nb"\n$/);
  });
});

/** A program that logs ten thousand lines of a hundred bytes and tells on its standard output what it got to do meanwhile. */
const FLOOD = `for (let n = 0; n < 20000; n++) logger.info({ n, pad: 'x'.repeat(60) }, 'line');
  process.stdout.write('alive\\n');`;

describe('a logger that nobody reads', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** Starts a program with a logger, its standard error at `fd`. */
  function program(fd: number, code: string, format: 'json' | 'text' = 'json') {
    const module = new URL('./log.js', import.meta.url).href;
    const script = `import { createLogger } from '${module}';
      const logger = createLogger(${JSON.stringify({ level: 'info', format })}); ${code}`;
    const args = ['--input-type=module', '-e', script];
    const child = start(process.execPath, args, { stdio: ['pipe', 'pipe', fd] });
    closing.push(() => child.kill('SIGKILL'));
    return { child, ended: endOf(child, 'node', 'close') };
  }

  it.each(['exits', 'throws'])('does not hold up a program, which %s, and keeps its first lines', async (end) => {
    const pipe = makePipe();
    closing.push(() => closeSync(pipe.read));
    const code =
      end === 'exits' ? FLOOD : `${FLOOD} process.on('uncaughtException', () => process.exit(3)); throw new Error();`;
    const { child, ended } = program(pipe.write, code);
    closeSync(pipe.write);
    expect(String(await once(child.stdout ?? child, 'data'))).toBe('alive\n');
    expect(await ended).toBe(end === 'exits' ? 0 : 3);
  });

  it.each(['json', 'text'] as const)('tells how many lines were dropped once it is read: %s', async (format) => {
    const pipe = makePipe();
    const code = `${FLOOD} process.stdin.on('data', () => { logger.info('after'); logger.flush(() => process.exit(0)) });`;
    const { child, ended } = program(pipe.write, code, format);
    closeSync(pipe.write);
    await once(child.stdout ?? child, 'data');
    const reader = openDescriptor(pipe.read, { readable: true, writable: false });
    closing.push(() => reader.destroy());
    child.stdin?.write('\n');
    const lines = (await whole(reader)).trim().split('\n');
    expect(await ended).toBe(0);
    const numbers = lines.flatMap((line) => /(?:"n":|n=)(\d+)/.exec(line)?.[1] ?? []).map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    const gap = lines.findIndex((line) => line.includes('log lines were dropped'));
    const dropped = Number(/"?dropped"?[=:](\d+)/.exec(lines[gap] ?? '')?.[1]);
    // The word on the gap stands in its place, and it may have taken the line after it along.
    const after = lines.slice(gap + 1).length;
    expect(numbers.length).toBe(gap);
    expect(numbers.length + dropped + after).toBe(20_001);
  });

  it('is no harm where the reader is gone', async () => {
    const pipe = makePipe();
    closeSync(pipe.read);
    const { child, ended } = program(pipe.write, FLOOD);
    closeSync(pipe.write);
    expect(String(await once(child.stdout ?? child, 'data'))).toBe('alive\n');
    expect(await ended).toBe(0);
  });

  it('is no harm on a socket, and leaves it as it was for others', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-log-'));
    const accepted: Socket[] = [];
    const server = createServer((socket) => accepted.push(socket.pause())).listen(join(dir, 's'));
    closing.push(() => server.close());
    // A stream to journald: a connected socket of which both outputs are copies.
    const code = `import { connect } from 'node:net'; import { spawn } from 'node:child_process';
      const socket = connect('${join(dir, 's')}', () => {
        const args = ['--input-type=module', '-e', process.env.SCRIPT];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', socket._handle.fd] });
        child.on('exit', (code) => process.exit(code));
      });`;
    const module = new URL('./log.js', import.meta.url).href;
    const script = `import { createLogger } from '${module}';
      const logger = createLogger({ level: 'info', format: 'json' }); ${FLOOD}`;
    const args = ['--input-type=module', '-e', code];
    const env = { ...MINIMAL_ENV, SCRIPT: script };
    const { stdout } = await runOk(process.execPath, args, { timeoutMs: 60_000, env });
    expect(stdout.toString()).toBe('alive\n');
    for (const socket of accepted) socket.destroy();
    await rm(dir, { recursive: true });
  });

  it('is whole in a file, last words too', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-log-'));
    const fd = openSync(join(dir, 'log'), 'a');
    const { ended } = program(
      fd,
      `${FLOOD.replace('20000', '5000')} logger.info('last'); logger.flush(() => process.exit(0));`,
    );
    closeSync(fd);
    expect(await ended).toBe(0);
    const lines = (await readFile(join(dir, 'log'), 'utf8')).trim().split('\n');
    expect(lines.length).toBe(5_001);
    expect(lines.at(-1)).toContain('last');
    await rm(dir, { recursive: true });
  });
});

describe('a log line', () => {
  it.each([
    ['a field', `logger.warn({ id: long }, 'bad')`],
    ['a field deep down', `logger.warn({ a: { b: [long] } }, 'bad')`],
    ['a message', `logger.warn(long)`],
    ['what goes into a message', `logger.warn('it is %s', long)`],
    ['a binding', `logger.child({ id: long }).warn('bad')`],
    ['many fields', `logger.warn(Object.fromEntries(Array.from({ length: 1e5 }, (_, n) => ['k' + n, 'v'])), 'bad')`],
    ['fields that are long each', `logger.warn(Object.fromEntries('abcdefgh'.split('').map((k) => [k, long])), 'bad')`],
  ])('is cut where a request has put something long into %s', async (_, call) => {
    for (const format of ['json', 'text']) {
      const text = await logged({ level: 'info', format }, `const long = 'x'.repeat(15 << 20); ${call}`);
      expect(text.length).toBeLessThan(20_000);
      expect(text).toMatch(/ cut\]| more/);
      expect(text).toMatch(/^[^\n]*\n$/);
      if (format === 'json') expect(JSON.parse(text)).toMatchObject({ level: 40 });
    }
  });
});

async function whole(reader: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
