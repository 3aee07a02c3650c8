import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { start } from '../spawn.js';
import { setTerminalSizesOf } from './terminal.js';

/** A program that holds a terminal's master and does not care for its size; what is on the terminal tells each size. */
function holder() {
  const tell = "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done";
  const child = start('script', ['-q', '-e', '-c', tell, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let said = '';
  const next = async (): Promise<string> => {
    while (!said.includes('\n')) said += String((await once(child.stdout ?? child, 'data'))[0]);
    const [line = '', ...rest] = said.split('\r\n');
    said = rest.join('\r\n');
    return line;
  };
  return { child, pid: child.pid ?? 0, next };
}

describe('sizes of terminals', () => {
  it('are set on the terminals that another process holds', async () => {
    const { child, pid, next } = holder();
    try {
      expect(await next()).toBe('0 0');
      setTerminalSizesOf(pid, { width: 77, height: 33 });
      expect(await next()).toBe('33 77');
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('are no matter of a process without terminals, nor of one that is gone', async () => {
    const child = start('sleep', ['3600'], { stdio: ['ignore', 'ignore', 'ignore'] });
    const pid = child.pid ?? 0;
    const set = (): void => setTerminalSizesOf(pid, { width: 1, height: 1 });
    expect(set).not.toThrow();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(set).not.toThrow();
  });
});
