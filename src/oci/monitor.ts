import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

import { BoundedBuffer } from '../base/bounded-buffer.js';
import { codeOf, describeError, internal, unavailable } from '../base/errors.js';
import { readIfExists, readText } from '../base/files.js';
import { bounded, MINIMAL_ENV, start, tail } from '../base/spawn.js';
import { killTree } from '../base/sys/kill-tree.js';
import { identify, type ProcessIdentity } from '../base/sys/process.js';
import { LentLog, LOG_PATH_OPTION, type LogPlace } from './monitor-log.js';
import { processOfPidFile } from './pid-file.js';
import type { AskedProcess } from './refusal.js';
import { lastLogMessage, type OciRuntime } from './runtime.js';

/** Where processes are put that must live apart from the daemon. */
export interface ProcessPlace {
  add(pid: number): Promise<void>;
}

export interface MonitorOptions {
  /** conmon's program. */
  readonly path: string;
  /** Where conmons live: never in the daemon's cgroup, which may be killed with it, nor in a pod's. */
  readonly cgroup: ProcessPlace;
}

export interface MonitoredContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  /** Its first. */
  readonly process: AskedProcess;
  /** The OCI bundle; also conmon's working directory, where it writes `oom` and `exit`. */
  readonly bundle: string;
  /** Survives a reboot: conmon writes the exit code there too, after that in the bundle, as this disk may be full. */
  readonly persistDir: string;
  /** The log in CRI's format; absent for none. */
  readonly log?: LogPlace | undefined;
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
   * Has conmon create the container by the runtime. After a failure neither conmon nor what it started is left.
   * @throws unstartable for a first process that the runtime refuses; internal with its message if it refuses anything else; deadline-exceeded; unavailable without a conmon;
   * invalid-argument for a log's path where no log can be.
   */
  async create(container: MonitoredContainer, runtime: OciRuntime): Promise<MonitoredProcesses> {
    const log = container.log && (await LentLog.lend(container.log, container.bundle, 'log'));
    try {
      return await runtime.options.creates.run(container.sandboxId, () => this.#create(container, runtime));
    } finally {
      await log?.giveBack();
    }
  }

  async #create(container: MonitoredContainer, runtime: OciRuntime): Promise<MonitoredProcesses> {
    const child = this.#start(container, runtime);
    const pid = await this.#handshake(child, container, runtime);
    const monitorPid = Number(await readText(join(container.bundle, 'conmon.pid')));
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
    const said = new BoundedBuffer(MAX_MESSAGE_BYTES);
    stderr.on('data', (chunk: Buffer) => said.push(chunk));
    go.on('error', () => undefined);
    const { timeoutMs } = runtime.options;
    try {
      const answer = this.#release(child, { sync, go });
      return parseAnswer(await bounded(child, answer, { timeoutMs, what: 'conmon' }));
    } catch (error) {
      await abandon(child, container);
      const reason = await reasonOf(container, error, said.bytes().toString());
      throw runtime.failure('create', container.id, reason, { code: codeOf(error), process: container.process });
    } finally {
      sync.destroy();
      stderr.destroy();
    }
  }

  /** Lets conmon go on once it stands in its cgroup, and returns its answer. */
  async #release(child: ChildProcess, { sync, go }: { sync: Readable; go: Writable }): Promise<string> {
    const answer = readLine(sync, child, this.#options.path);
    const placed = child.pid === undefined ? Promise.resolve() : this.#options.cgroup.add(child.pid);
    const [line] = await Promise.all([answer, placed.then(() => go.end('\0'))]);
    return line;
  }
}

const MAX_MESSAGE_BYTES = 64 * 1024;

/** conmon leaves the group of the child that starts it, and a runtime that hangs would stay below it. */
async function abandon(child: ChildProcess, { bundle, id }: MonitoredContainer): Promise<void> {
  const monitor = await processOfPidFile(join(bundle, 'conmon.pid'), id);
  if (monitor !== undefined) await killTree(monitor.pid);
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await killTree(child.pid);
}

/** The runtime's own log says most; then conmon's answer, then its stderr. */
async function reasonOf({ bundle }: MonitoredContainer, error: unknown, stderr: string): Promise<string> {
  const said = describeError(error);
  const log = await readIfExists(join(bundle, 'runtime.log'));
  if (log === undefined || log.trim() === '') return tail(`${said} ${stderr.trim()}`.trim());
  return codeOf(error) === 'internal' ? lastLogMessage(log) : `${said}: ${lastLogMessage(log)}`;
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
    // conmon ends at the first that it cannot write, and begins with the second.
    ...['--exit-dir', container.persistDir, '--persist-dir', bundle],
    // k8s-file is CRI's format; --no-sync-log: exits do not wait for the disk.
    ...['--log-path', container.log === undefined ? 'off:' : LOG_PATH_OPTION, '--no-sync-log'],
    // Version 1 answers with `data`; the older one has a key for each verb.
    ...['--full-attach', '--log-level', 'warning', '--api-version', '1'],
    ...(runtime.options.cgroupDriver === 'systemd' ? ['--systemd-cgroup'] : []),
    ...(container.terminal ? ['--terminal'] : []),
    ...(container.stdin ? ['--stdin'] : []),
    ...(container.leaveStdinOpen ? ['--leave-stdin-open'] : []),
  ];
}

/** conmon answers one line of JSON; it keeps the pipe open, so waiting for its end would be waiting for ever. */
function readLine(stream: Readable, child: ChildProcess, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n') || text.length > 65_536) resolve(text);
    });
    stream.on('end', () => resolve(text));
    stream.on('error', reject);
    child.on('error', (error) => reject(unavailable(`cannot start ${path}`, error)));
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

export interface MonitoredExit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Nanoseconds since 1970: when conmon wrote it, though nobody looked then. */
  readonly at: string;
}

/**
 * How a container ended, as conmon wrote it; undefined while it has not. Each of the two files counts for itself: where a
 * disk was full, the one that is on it may be there and empty.
 */
export async function readExit(files: {
  readonly bundle: string;
  readonly persistDir: string;
  readonly id: string;
}): Promise<MonitoredExit | undefined> {
  const { bundle, persistDir, id } = files;
  for (const file of [join(bundle, 'exit'), join(persistDir, id)]) {
    const text = await readIfExists(file);
    if (text === undefined || !/^-?\d+$/.test(text.trim())) continue;
    const { mtimeNs } = await stat(file, { bigint: true });
    return { exitCode: Number(text.trim()), oomKilled: existsSync(join(bundle, 'oom')), at: String(mtimeNs) };
  }
  return undefined;
}
