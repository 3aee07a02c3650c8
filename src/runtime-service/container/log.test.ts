import { existsSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { runOk } from '../../base/spawn.js';
import { isAlive } from '../../base/sys/process.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { execSync } from './exec-sync.js';
import { reopenLog } from './reopen-log.js';
import { ContainerWorld } from './testing.js';

const scratch = useScratch('log');
let own: ContainerWorld;
let sandbox: string;
const log = (name: string): string => scratch.path('logs', name);
const secret = (): string => scratch.path('secret');

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  sandbox = await own.sandbox();
  await mkdir(scratch.path('logs'), { recursive: true });
  writeFileSync(secret(), 'the node’s own\n');
});

function monitorOf(id: string) {
  const { status } = own.get(id);
  if (status.state !== 'running') throw new RangeError(status.state);
  return status.processes.monitor;
}

/** What conmon is to open below the bundle; nothing while it is not asked to. */
function lent(id: string): string[] {
  return readdirSync(scratch.path('state', 'containers', id)).filter((name) => /^log/.test(name));
}

describe('a container’s log', () => {
  it.each(['a:b.log', 'dir:1/0.log', 'k8s-file:x', 'new\nline.log', '-v', 'a,b=c;d.log'])(
    'is at its path, whatever is in its name: %j',
    async (logPath) => {
      const id = await own.run(sandbox, 'echo hi', { logPath });
      await own.exit(id);
      expect(await own.log(id)).toEqual(['stdout F hi']);
      expect(own.get(id).record.logPath).toBe(log(logPath));
      expect(lent(id)).toEqual([]);
    },
  );

  it('is appended to, where there is one', async () => {
    for (const word of ['one', 'two']) await own.exit(await own.run(sandbox, `echo ${word}`));
    expect(readFileSync(log('c.log'), 'utf8').match(/one|two/g)).toEqual(['one', 'two']);
  });

  it.each([
    ['a link', 'c.log', () => symlinkSync(secret(), log('c.log')), /log path .*c\.log: it is a symbolic link/],
    ['a fifo', 'c.log', () => runOk('mkfifo', [log('c.log')], { timeoutMs: 5_000 }), /c\.log: it is a fifo/],
    ['a directory', 'c.log', () => mkdir(log('c.log')), /c\.log: it is a directory/],
    ['a link on the way', 'd/secret', () => symlinkSync(scratch.root, log('d')), /"d" on the way is a symbolic link/],
    ['a file on the way', 'd/0.log', () => writeFileSync(log('d'), ''), /"d" on the way is a file/],
  ])('is refused where %s is', async (_, logPath, make: () => unknown, message) => {
    await make();
    const error = await rejection(own.create(sandbox, { logPath }));
    expect(error.code).toBe('invalid-argument');
    expect(error.cause).toMatchObject({ message: expect.stringMatching(message) });
    expect(readFileSync(secret(), 'utf8')).toBe('the node’s own\n');
    expect(own.context.store.list()).toEqual([]);
  });
});

describe('a log that is reopened', () => {
  const script = 'echo first; until [ -e /go ]; do sleep 0.02; done; echo second; exit 4';
  let id: string;
  beforeEach(async () => {
    id = await own.run(sandbox, script);
    await until(async () => (await own.log(id)).length > 0);
    renameSync(log('c.log'), log('c.log.1'));
  });

  async function goOn(): Promise<void> {
    const request = { containerId: id, command: ['touch', '/go'], timeoutSeconds: 20 };
    await execSync(own.context, request, new AbortController().signal);
    expect(await own.exit(id)).toMatchObject({ exitCode: 4 });
  }

  it('goes on in a new file, and never into what a pod puts beside it', async () => {
    symlinkSync(secret(), log('c.log.tmp'));
    await reopenLog(own.context, id);
    expect(lent(id)).toEqual([]);
    await goOn();
    expect(await own.log(id)).toEqual(['stdout F second']);
    expect(readFileSync(secret(), 'utf8')).toBe('the node’s own\n');
  });

  it('is not reopened where something else has its place', async () => {
    symlinkSync(secret(), log('c.log'));
    const error = await rejection(reopenLog(own.context, id));
    expect(error.code).toBe('invalid-argument');
    expect(error.message).toContain('it is a symbolic link');
    await goOn();
    expect(readFileSync(secret(), 'utf8')).toBe('the node’s own\n');
    expect(readFileSync(log('c.log.1'), 'utf8')).toContain('second');
  });

  it('is there for a monitor that is late', async () => {
    const { pid } = monitorOf(id);
    process.kill(pid, 'SIGSTOP');
    expect((await rejection(reopenLog(own.context, id))).code).toBe('deadline-exceeded');
    const again = reopenLog(own.context, id).catch((error: unknown) => error);
    expect(lent(id)).toContain('log.tmp');
    process.kill(pid, 'SIGCONT');
    expect(await again).toBeUndefined();
    await until(() => lent(id).length === 0);
    expect(isAlive(monitorOf(id))).toBe(true);
    await goOn();
    expect(await readFile(log('c.log'), 'utf8')).toContain('second');
    expect(existsSync(scratch.path('state', 'containers', id, 'log'))).toBe(false);
  });
});
