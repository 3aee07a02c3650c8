import { closeSync, fstatSync, openSync, statSync } from 'node:fs';

import { afterEach, describe, expect, it } from '@jest/globals';

import { internal } from '../errors.js';
import { endOf, start } from '../spawn.js';
import { makePipe, type PipeEnds } from './descriptor.js';
import { givePipe, giveStreamsOf } from './give-streams.js';
import { endProcess, identify, type ProcessIdentity } from './process.js';

const OWNER = { uid: 1_000_000, gid: 1_000_005 };

describe('pipes', () => {
  const open: PipeEnds[] = [];
  afterEach(() => {
    for (const { read, write } of open.splice(0)) for (const fd of [read, write]) closeSync(fd);
  });

  function pipe(): PipeEnds {
    const ends = makePipe();
    open.push(ends);
    return ends;
  }

  const ownerOf = (fd: number): object => {
    const { uid, gid } = fstatSync(fd);
    return { uid, gid };
  };

  it('are given away by either end', () => {
    const ends = pipe();
    givePipe(ends.write, OWNER);
    expect(ownerOf(ends.read)).toEqual(OWNER);
  });

  it('can be opened by their owner alone', async () => {
    const { write } = pipe();
    const user = ['--reuid=1000000', '--regid=1000005', '--clear-groups'];
    const echo = (): Promise<number> => {
      const stdio = ['ignore', 'ignore', 'ignore', write] as const;
      const child = start('setpriv', [...user, 'sh', '-c', 'echo x >/dev/fd/3'], { stdio: [...stdio] });
      return endOf(child, 'setpriv', 'exit');
    };
    expect(await echo()).not.toBe(0);
    givePipe(write, OWNER);
    expect(await echo()).toBe(0);
  });

  it('of another process are given away, not its other streams, nor those of one that has ended', async () => {
    const [out, err] = [pipe(), pipe()];
    const null_ = openSync('/dev/null', 'r');
    const child = start('sleep', ['60'], { stdio: [null_, out.write, err.write] });
    const ended = endOf(child, 'sleep', 'exit');
    const before = statSync('/dev/null');
    try {
      const process = identified(child.pid);
      giveStreamsOf({ ...process, startTime: 'another process' }, OWNER);
      expect(ownerOf(out.read)).toEqual({ uid: 0, gid: 0 });
      giveStreamsOf(process, OWNER);
      expect([ownerOf(out.read), ownerOf(err.read)]).toEqual([OWNER, OWNER]);
      expect(statSync('/dev/null')).toMatchObject({ uid: before.uid, gid: before.gid, mode: before.mode });
      await endProcess(process);
      await ended;
      giveStreamsOf(process, OWNER);
    } finally {
      child.kill('SIGKILL');
      closeSync(null_);
    }
  });
});

function identified(pid = 0): ProcessIdentity {
  const process = identify(pid);
  if (process === undefined) throw internal(`no process ${pid}`);
  return process;
}
