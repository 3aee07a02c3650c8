import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../base/testing.js';
import { refusalOf, type EndedExec } from './exec-end.js';
import { ownRuntime } from './testing.js';

const scratch = useScratch('exec-end');

interface Wish {
  readonly exitCode?: number;
  readonly signal?: NodeJS.Signals;
  readonly started?: boolean;
  /** The messages of the runtime's log; `level` is an error's unless it is said. */
  readonly log?: readonly (string | { readonly level: string; readonly msg: string })[];
}

async function ended({ exitCode = 255, signal, started = false, log = [] }: Wish): Promise<EndedExec> {
  const [pidFile, file] = [scratch.path('pid'), scratch.path('log')];
  if (started) await writeFile(pidFile, '77');
  const lines = log.map((entry) => JSON.stringify(typeof entry === 'string' ? { level: 'error', msg: entry } : entry));
  await writeFile(file, lines.join('\n'));
  return {
    ...{ runtime: ownRuntime(scratch), containerId: 'one', program: '/x', pidFile, log: file },
    ...{ exitCode, signal: signal ?? null },
  };
}

const START = 'exec failed: unable to start container process: ';

describe('the end of a runtime’s exec', () => {
  it.each<[string, Wish]>([
    ['0', { exitCode: 0, started: true }],
    ['any code of a command that ran', { exitCode: 255, started: true }],
    ['a signal that a command had', { exitCode: 137, started: true }],
    ['what a runtime only warns of', { exitCode: 3, started: true, log: [{ level: 'warning', msg: `${START}no` }] }],
    ['an error beside the command', { exitCode: 3, started: true, log: ['cannot resize: no tty'] }],
  ])('is the command’s: %s', async (_, wish) => {
    expect(await refusalOf(await ended(wish))).toBeUndefined();
  });

  it.each<[string, Wish, string]>([
    [
      'missing (runc)',
      { log: [`${START}exec: "x": executable file not found in $PATH`] },
      'exec: "x": executable file not found in $PATH',
    ],
    ['missing, by its path (runc)', { log: [`${START}exec: "/x": stat /x: no such file or directory`] }, 'exec: "/x": stat /x: no such file or directory'], // prettier-ignore
    ['a directory (runc)', { log: [`${START}exec: "/etc": is a directory`] }, 'exec: "/etc": is a directory'],
    ['none that runs (runc)', { log: [`${START}exec /x: exec format error`] }, 'exec /x: exec format error'],
    ['missing (crun)', { exitCode: 1, log: ['executable file `x` not found in $PATH: No such file or directory'] }, '"/x": executable file `x` not found in $PATH: No such file or directory'], // prettier-ignore
    ['not to be opened (crun)', { exitCode: 1, log: ['open executable: Permission denied'] }, '"/x": open executable: Permission denied'], // prettier-ignore
    ['not to be opened (later crun)', { exitCode: 1, log: ['open `/x`: Permission denied'] }, 'open `/x`: Permission denied'], // prettier-ignore
    ['none that runs (crun)', { exitCode: 1, started: true, log: ['exec: Exec format error'] }, '"/x": exec: Exec format error'], // prettier-ignore
  ])('is a program’s that cannot be executed: %s', async (_, wish, expected) => {
    expect(await refusalOf(await ended(wish))).toBe(expected);
  });

  it.each<[string, Wish, string, RegExp]>([
    ['a cgroup', { log: [`${START}error adding pid 7 to cgroups: openat2 /sys/fs/cgroup/exec-1: no such file or directory`] }, 'internal', /adding pid 7/], // prettier-ignore
    ['a command lost', { started: true, log: ['exec failed: wait: no child processes'] }, 'internal', /no child/],
    ['a container that has ended', { log: ['exec failed: cannot exec in a stopped container'] }, 'failed-precondition', /stopped/], // prettier-ignore
    ['one that is unknown', { log: ['exec failed: container does not exist'] }, 'failed-precondition', /exist/],
    ['one that has ended (crun)', { log: ['the container `one` is not running'] }, 'failed-precondition', /running/],
    ['a directory that is gone', { log: [`${START}chdir to cwd ("/x") set in config.json failed: no such file`] }, 'failed-precondition', /chdir/], // prettier-ignore
    ['no word', { exitCode: 1 }, 'internal', /exit code 1 before it started the command/],
    ['a signal', { exitCode: 137, signal: 'SIGKILL', started: true }, 'internal', /SIGKILL/],
  ])('is the runtime’s: %s', async (_, wish, code, message) => {
    const error = await rejection(refusalOf(await ended(wish)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('runtime handler "test": exec "one": ');
  });
});
