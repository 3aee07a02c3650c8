import { readdir } from 'node:fs/promises';

import { endProcess, readProcess, signalProcess, type ProcessRow } from './process.js';

const ROUNDS = 200;

/**
 * Kills a process with all its descendants and all of its session, and waits for their ends, so that neither a fork nor
 * an orphan gets away. Looks again until nothing is left, as a process may fork between the look and the kill.
 * @throws deadline-exceeded for a process that hangs in the kernel.
 */
export async function killTree(root: number): Promise<void> {
  const doomed = new Set([root]);
  const sessions = new Set<number>();
  const killed = new Map<number, ProcessRow>();
  for (let round = 0; round < ROUNDS; round++) {
    const rows = await processTable();
    spread(rows, doomed, sessions);
    const fresh = rows.filter(({ process: { pid } }) => doomed.has(pid) && !killed.has(pid));
    if (fresh.length === 0) break;
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

async function processTable(): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => readProcess(Number(pid)) ?? []);
}
