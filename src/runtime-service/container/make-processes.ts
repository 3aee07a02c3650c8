import { describeError, hasCode, internal } from '../../base/errors.js';
import { toHostUser } from '../../base/id-mapping.js';
import { settleAll } from '../../base/settle-all.js';
import { giveStreamsOf } from '../../base/sys/give-streams.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import type { UndoStack } from '../../base/undo.js';
import { cgroupDirsOf } from '../../oci/cgroup.js';
import { LentLog, type LogPlace } from '../../oci/monitor-log.js';
import { oomKillsIn, sliceOf } from '../../oci/oom-kills.js';
import type { AskedProcess } from '../../oci/refusal.js';
import type { OciProcess } from '../../oci/spec/types.js';
import { prepareBundle, type BundleParts } from './bundle.js';
import type { ContainerContext } from './context.js';
import { prepareHost } from './host-mounts.js';
import { endProcesses } from './kill.js';
import type { ContainerProcesses, ContainerRecord, CreatedStatus, UnstartableStatus } from './types.js';

type Parts = BundleParts & { readonly log?: LogPlace | undefined };

/** The bundle, and from it init and its monitor; or, with nothing left of these, why init can never be. */
export async function makeProcesses(
  context: ContainerContext,
  parts: Parts,
  undo: UndoStack,
): Promise<CreatedStatus | UnstartableStatus> {
  try {
    return await make(context, parts, undo);
  } catch (error) {
    if (hasCode(error, 'unstartable')) return unstartable(context, parts, describeError(error));
    throw error;
  }
}

async function make(context: ContainerContext, parts: Parts, undo: UndoStack): Promise<CreatedStatus> {
  const { record, sandbox, paths, labels, log } = parts;
  // What is wrong with the request is told before what is wrong with the image.
  const [, process] = await settleAll<[unknown, OciProcess]>([
    prepareHost(context.runtimes, { ...record, logDirectory: log?.directory }, labels?.mount),
    prepareBundle(context, parts),
  ]);
  const { user, args, cwd } = process;
  const processes = await createProcesses(
    context,
    { record, bundle: paths.bundle, log, process: { program: args[0] ?? '', cwd } },
    undo,
  );
  // conmon's pipes are root's, and runc cannot give them away itself in a user namespace that root is not in.
  giveStreamsOf(processes.init, toHostUser(user, sandbox.config.userns));
  return { state: 'created', processes, user };
}

/** Its log is there, though empty, for whoever asks what it said. */
async function unstartable(
  context: ContainerContext,
  { record, paths, log }: Parts,
  message: string,
): Promise<UnstartableStatus> {
  await context.runtimes.of(record).delete(record.id);
  if (log !== undefined) await (await LentLog.lend(log, paths.bundle, 'log')).giveBack();
  context.logger.info({ container: record.id, reason: message }, 'container cannot be started');
  return { state: 'unstartable', message };
}

async function createProcesses(
  context: ContainerContext,
  {
    record,
    log,
    ...place
  }: {
    readonly record: ContainerRecord;
    readonly bundle: string;
    readonly process: AskedProcess;
    readonly log?: LogPlace | undefined;
  },
  undo: UndoStack,
): Promise<ContainerProcesses> {
  const { id, sandboxId, name } = record;
  const { stdin, stdinOnce, tty } = record.config;
  const runtime = context.runtimes.of(record);
  undo.push('runtime', () => runtime.delete(id));
  // Nothing ends the input of a terminal (CRI stdin_once), as with the peers.
  const io = { log, terminal: tty, stdin, leaveStdinOpen: stdin && (tty || !stdinOnce) };
  const monitored = await context.monitor.create(
    { id, sandboxId, name, ...place, persistDir: context.store.dirOf(id), ...io },
    runtime,
  );
  undo.push('processes', () => endProcesses(monitored));
  const cgroupDir = cgroupDirOf(monitored.init, id);
  const slice = sliceOf(cgroupDir);
  const sliceOomKills = slice === undefined ? undefined : await oomKillsIn(slice);
  return { ...monitored, cgroupDir, ...(sliceOomKills === undefined ? {} : { sliceOomKills }) };
}

function cgroupDirOf(init: ProcessIdentity, id: string): string {
  const dir = cgroupDirsOf(init.pid).find((path) => path.includes(id));
  if (dir === undefined) throw internal(`the init process ${init.pid} of container "${id}" is in no cgroup of its own`);
  return dir;
}
