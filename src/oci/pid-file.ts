import { readText } from '../base/files.js';
import { identify, type ProcessIdentity } from '../base/sys/process.js';

/**
 * The process that a pid file names, if it is still the one meant: its command line or cgroup has the container's id.
 * Undefined for one that has ended, and for no such file.
 */
export async function processOfPidFile(file: string, id: string): Promise<ProcessIdentity | undefined> {
  const pid = Number(await readOrNothing(file));
  const process = pid > 1 ? identify(pid) : undefined;
  if (process === undefined) return undefined;
  const texts = await Promise.all(['cmdline', 'cgroup'].map((name) => readOrNothing(`/proc/${pid}/${name}`)));
  return texts.join().includes(id) ? process : undefined;
}

function readOrNothing(path: string): Promise<string> {
  return readText(path).catch(() => '');
}
