import { readFile } from 'node:fs/promises';

import { expect, it } from '@jest/globals';

import { deadlineSignal } from '../../base/abort.js';
import { start } from '../../base/spawn.js';
import { useScratch } from '../../base/testing.js';
import { ExecCgroup } from '../../oci/exec-cgroup.js';
import { CommandPipes } from './command-pipes.js';
import { Command } from './command.js';
import { ContainerWorld } from './testing.js';

const scratch = useScratch('command');

/** A runtime that listens for its command's end when that is over, as runc does where it is late. */
const LATE = `
my $pid = fork;
exit 3 if $pid == 0;
sub state { open my $f, '<', "/proc/$pid/stat"; <$f> }
select undef, undef, undef, 0.01 until state() =~ /\\) Z /;
$SIG{CHLD} = sub { waitpid $pid, 0; exit($? >> 8) };
open my $f, '>', $ARGV[0]; print $f $pid; close $f;
sleep 1 while 1;
`;

/** A runtime that never tells how its command ended. */
const SILENT = `
my $pid = fork;
exit 3 if $pid == 0;
waitpid $pid, 0;
open my $f, '>', $ARGV[0]; print $f $pid; close $f;
sleep 1 while 1;
`;

it.each([
  ['though the runtime has missed the end of its command', LATE, undefined, { exitCode: 3, stopped: false }],
  ['when its time is over, whatever becomes of the runtime', SILENT, 500, { exitCode: 137, stopped: true }],
])('ends %s', async (_, program, timeoutMs, expected) => {
  const own = await ContainerWorld.make(scratch);
  const id = await own.run(await own.sandbox(), 'exec sleep 300');
  const { status } = own.get(id);
  if (status.state !== 'running') throw new TypeError(status.state);
  const cgroup = await ExecCgroup.make(status.processes.cgroupDir);
  const [pidFile, pipes] = [scratch.path('pid'), new CommandPipes({ stdin: false })];
  try {
    const child = start('perl', ['-e', program, pidFile], { stdio: [...pipes.stdio] });
    const command = new Command(child, {
      ...{ runtime: own.context.runtimes.get(''), containerId: id, program: 'x' },
      ...{ pidFile, log: scratch.path('log'), cgroup },
    });
    pipes.handOver();
    const stop = timeoutMs === undefined ? new AbortController().signal : deadlineSignal(timeoutMs);
    const end = await command.endOrStop(stop, 'kill', pipes);
    expect(end).toEqual(expected);
    expect(Number(await readFile(pidFile, 'latin1'))).toBeGreaterThan(0);
  } finally {
    pipes.close();
    await cgroup.remove();
  }
});
