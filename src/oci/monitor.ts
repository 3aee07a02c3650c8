import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

import { errnoOf, internal } from '../base/errors.js';
import { ensureDirectory, readIfExists } from '../base/files.js';
import { bounded, MINIMAL_ENV, start, tail } from '../base/spawn.js';
import { identify, type ProcessIdentity } from '../base/sys/process.js';
import type { OwnCgroup } from './cgroup.js';
import { lastLogMessage, type OciRuntime } from './runtime.js';

export interface MonitorOptions {
  /** conmon's program. */
  readonly path: string;
  /** Where conmons live: never in the daemon's cgroup, which may be killed with it, nor in a pod's. */
  readonly cgroup: OwnCgroup;
}

export interface MonitoredContainer {
  readonly id: string;
  readonly name: string;
  /** The OCI bundle; also conmon's working directory, where it writes `oom`. */
  readonly bundle: string;
  /** Survives a reboot: conmon writes the exit code there too. */
  readonly persistDir: string;
  /** The log in CRI's format; empty for none. */
  readonly logPath: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** Leave stdin open when a client detaches. */
  readonly leaveStdinOpen: boolean;
}

export interface MonitoredProcesses {
  readonly init: ProcessIdentity;
  readonly monitor: ProcessIdentity;
}

/** Starts a conmon for each container: log, terminal, exit code. It outlives the daemon, so the container does. */
export class Monitor {
  readonly #options: MonitorOptions;

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /**
   * Has conmon create the container by the runtime.
   * @throws internal with the runtime's message if it refuses.
   */
  create(container: MonitoredContainer, runtime: OciRuntime): Promise<MonitoredProcesses> {
    return runtime.options.creates.run(() => this.#create(container, runtime));
  }

  async #create(container: MonitoredContainer, runtime: OciRuntime): Promise<MonitoredProcesses> {
    await ensureDirectory(join(container.bundle, 'exits'));
    const child = this.#start(container, runtime);
    const pid = await this.#handshake(child, container, runtime);
    const monitorPid = Number(await readFile(join(container.bundle, 'conmon.pid'), 'utf8'));
    const monitor = identify(monitorPid);
    // Dead already: `startTime` is of no process, so whoever looks finds them ended and reads the exit file.
    return { init: identify(pid) ?? { pid, startTime: '' }, monitor: monitor ?? { pid: monitorPid, startTime: '' } };
  }

  #start(container: MonitoredContainer, runtime: OciRuntime): ChildProcess {
    // Descriptors 3 and 4: conmon's answer, and its wait until it stands in the right cgroup.
    const env = { ...MINIMAL_ENV, _OCI_SYNCPIPE: '3', _OCI_STARTPIPE: '4' };
    const stdio = ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] as const;
    return start(this.#options.path, monitorArgs(container, runtime), {
      env,
      cwd: container.bundle,
      stdio: [...stdio],
    });
  }

  async #handshake(child: ChildProcess, container: MonitoredContainer, runtime: OciRuntime): Promise<number> {
    const [, , stderr, sync, go] = child.stdio as unknown as [null, null, Readable, Readable, Writable];
    const said: Buffer[] = [];
    stderr.on('data', (chunk: Buffer) => said.push(chunk));
    go.on('error', () => undefined);
    const answer = readLine(sync, child);
    if (child.pid !== undefined) await this.#options.cgroup.add(child.pid);
    go.end('\0');
    const { timeoutMs } = runtime.options;
    try {
      const line = await bounded(child, answer, { timeoutMs, what: `conmon of container "${container.id}"` });
      return parseAnswer(line);
    } catch (error) {
      throw runtime.failure('create', container.id, await this.#reason(container, error, Buffer.concat(said)));
    } finally {
      sync.destroy();
      stderr.destroy();
    }
  }

  /** The runtime's own log says most; then conmon's answer, then its stderr. */
  async #reason(container: MonitoredContainer, error: unknown, stderr: Buffer): Promise<string> {
    const log = await readIfExists(join(container.bundle, 'runtime.log'));
    if (log !== undefined && log.trim() !== '') return lastLogMessage(log);
    const { message } = error as Error;
    return tail(`${message} ${stderr.toString().trim()}`.trim());
  }
}

function monitorArgs(container: MonitoredContainer, runtime: OciRuntime): string[] {
  const { bundle, id } = container;
  const runtimeArgs = [
    ...runtime.globalArgs.filter((arg) => arg !== '--systemd-cgroup'),
    `--log=${join(bundle, 'runtime.log')}`,
  ];
  runtimeArgs.push('--log-format=json');
  return [
    ...['--bundle', bundle, '--cid', id, '--cuuid', id, '--name', container.name],
    ...['--runtime', runtime.options.path, ...runtimeArgs.flatMap((arg) => ['--runtime-arg', arg])],
    ...['--container-pidfile', join(bundle, 'pid'), '--conmon-pidfile', join(bundle, 'conmon.pid')],
    ...['--exit-dir', join(bundle, 'exits'), '--persist-dir', container.persistDir],
    // k8s-file is CRI's format; --no-sync-log: exits do not wait for the disk.
    ...['--log-path', container.logPath === '' ? 'off:' : `k8s-file:${container.logPath}`, '--no-sync-log'],
    // Version 1 answers with `data`; the older one has a key for each verb.
    ...['--full-attach', '--log-level', 'warning', '--api-version', '1'],
    ...(runtime.options.cgroupDriver === 'systemd' ? ['--systemd-cgroup'] : []),
    ...(container.terminal ? ['--terminal'] : []),
    ...(container.stdin ? ['--stdin'] : []),
    ...(container.leaveStdinOpen ? ['--leave-stdin-open'] : []),
  ];
}

/** conmon answers one line of JSON; it keeps the pipe open, so waiting for its end would be waiting for ever. */
function readLine(stream: Readable, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n') || text.length > 65_536) resolve(text);
    });
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    child.on('error', reject);
  });
}

/** `{"data": pid}`, or a negative number and a message. */
function parseAnswer(line: string): number {
  let answer: { data?: unknown; message?: unknown };
  try {
    answer = JSON.parse(line) as typeof answer;
  } catch {
    throw internal(line.trim() === '' ? 'conmon ended without an answer' : `conmon answered "${tail(line, 200)}"`);
  }
  const { data, message } = answer;
  if (typeof data === 'number' && data > 0) return data;
  throw internal(typeof message === 'string' ? tail(message.trim()) : `conmon answered ${String(data)}`);
}

/** How a container ended, as conmon wrote it; undefined while it has not. */
export async function readExit(files: {
  readonly bundle: string;
  readonly persistDir: string;
  readonly id: string;
}): Promise<{ exitCode: number; oomKilled: boolean } | undefined> {
  const text =
    (await readIfExists(join(files.bundle, 'exits', files.id))) ?? (await readIfExists(join(files.persistDir, 'exit')));
  if (text === undefined || !/^-?\d+$/.test(text.trim())) return undefined;
  return { exitCode: Number(text.trim()), oomKilled: await wasOom(files) };
}

async function wasOom({ bundle, persistDir }: { bundle: string; persistDir: string }): Promise<boolean> {
  try {
    return (
      (await readIfExists(join(bundle, 'oom'))) !== undefined ||
      (await readIfExists(join(persistDir, 'oom'))) !== undefined
    );
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
