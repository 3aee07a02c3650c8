import { once } from 'node:events';
import { open } from 'node:fs/promises';

import { exitCodeOf, start } from '../../src/base/spawn.js';
import { unavailable } from '../../src/base/errors.js';
import { patience } from './settings.js';

/** A server of the tests, run as a child. */
export interface Service {
  readonly pid: number;
  /** The exit code, once it has ended. */
  readonly ended: Promise<number>;
  signal(signal: NodeJS.Signals): void;
}

/**
 * Starts a server with its output in `logFile`. It ends with the process that started it, however that one ends:
 * setpriv has the kernel see to it, and then is the server, under the same process id.
 */
export async function startService(command: string, args: readonly string[], logFile: string): Promise<Service> {
  const log = await open(logFile, 'a');
  try {
    const child = start('setpriv', ['--pdeathsig', 'TERM', command, ...args], { stdio: ['ignore', log.fd, log.fd] });
    const ended = once(child, 'exit').then(([code, signal]) => exitCodeOf(code as null, signal as NodeJS.Signals));
    const { pid } = child;
    if (pid === undefined) throw unavailable(`cannot start ${command}`);
    return { pid, ended, signal: (signal) => void child.kill(signal) };
  } finally {
    await log.close();
  }
}

/** TERM, and KILL if that does not help in `timeoutMs`. Returns the exit code. */
export async function stopService(service: Service, timeoutMs = patience(10_000)): Promise<number> {
  service.signal('SIGTERM');
  const timer = setTimeout(() => service.signal('SIGKILL'), timeoutMs);
  try {
    return await service.ended;
  } finally {
    clearTimeout(timer);
  }
}
