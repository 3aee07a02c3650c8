import { readdir, readFile } from 'node:fs/promises';

import { identify, signalProcess } from '../../base/sys/process.js';

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

const ROUNDS = 20;

/**
 * Kills a process with all its descendants and all of its session, so that neither a fork nor an orphan gets away.
 * Looks again until nothing is left, as a process may fork between the look and the kill.
 */
export async function killTree(root: number): Promise<void> {
  const doomed = new Set([root]);
  const sessions = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const rows = await processTable();
    spread(rows, doomed, sessions);
    const alive = rows.filter((row) => doomed.has(row.pid));
    const killed = alive.filter((row) => kill(row.pid));
    if (killed.length === 0) return;
  }
}

/** Adds every descendant and every member of a doomed leader's session, until nothing is added. */
function spread(rows: readonly ProcessRow[], doomed: Set<number>, sessions: Set<number>): void {
  for (let before = -1; before !== doomed.size;) {
    before = doomed.size;
    for (const row of rows) {
      if (doomed.has(row.pid) && row.session === row.pid) sessions.add(row.session);
      if (doomed.has(row.parent) || sessions.has(row.session)) doomed.add(row.pid);
    }
  }
}

function kill(pid: number): boolean {
  const process = identify(pid);
  return process !== undefined && signalProcess(process, 'SIGKILL');
}

async function processTable(): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(pids.map((pid) => readRow(Number(pid))));
  return rows.filter((row) => row !== undefined);
}

/** proc(5), /proc/pid/stat: after the name come state, ppid, pgrp, session. */
async function readRow(pid: number): Promise<ProcessRow | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  if (text === undefined) return undefined;
  const [, parent, , session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { pid, parent: Number(parent), session: Number(session) };
}
