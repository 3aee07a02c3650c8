import { readdir } from 'node:fs/promises';

import { endProcess, readProcess, signalProcess, type ProcessRow } from './process.js';

const ROUNDS = 200;
/** How many looks in a row may find nothing: on a node where processes end all the time, each could have missed one. */
const VAIN_LOOKS = 20;

/**
 * Kills a process with all its descendants and all of its session, and waits for their ends, so that neither a fork nor
 * an orphan gets away. Looks again until nothing is left, as a process may fork between the look and the kill, or during the look.
 * @throws deadline-exceeded for a process that hangs in the kernel.
 */
export async function killTree(root: number): Promise<void> {
  const doomed = new Set([root]);
  const sessions = new Set<number>();
  const killed = new Map<number, ProcessRow>();
  let dead: ReadonlySet<string> = new Set();
  for (let round = 0, vain = 0; round < ROUNDS && vain < VAIN_LOOKS; round++) {
    const { rows, ended } = await processTable();
    spread(rows, doomed, sessions);
    const fresh = rows.filter(({ process: { pid } }) => doomed.has(pid) && !killed.has(pid));
    // What has ended during the look may have forked during it, too, and its child is not in the table.
    if (fresh.length === 0 && [...ended].every((pid) => dead.has(pid))) break;
    dead = ended;
    vain = fresh.length === 0 ? vain + 1 : 0;
    for (const row of fresh) {
      signalProcess(row.process, 'SIGKILL');
      killed.set(row.process.pid, row);
    }
  }
  await Promise.all([...killed.values()].map((row) => endProcess(row.process)));
}

/** Adds every descendant and every member of a doomed leader's session, until nothing is added. */
function spread(rows: readonly ProcessRow[], doomed: Set<number>, sessions: Set<number>): void {
  for (let before = -1; before !== doomed.size;) {
    before = doomed.size;
    for (const { process, parent, session } of rows) {
      if (doomed.has(process.pid) && session === process.pid) sessions.add(session);
      if (doomed.has(parent) || sessions.has(session)) doomed.add(process.pid);
    }
  }
}

interface ProcessTable {
  readonly rows: readonly ProcessRow[];
  /** Pids on the list of processes whose own file is gone, or says that they have ended. */
  readonly ended: ReadonlySet<string>;
}

async function processTable(): Promise<ProcessTable> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map((pid) => readProcess(Number(pid)));
  return {
    rows: found.filter((row) => row !== undefined),
    ended: new Set(pids.filter((_, index) => found[index] === undefined)),
  };
}
