import { rm, rmdir } from 'node:fs/promises';

import { errnoOf, internal } from '../../../src/base/errors.js';
import { run } from '../../../src/base/spawn.js';
import { unmount } from '../../../src/base/sys/sys.js';
import type { Scratch } from '../scratch.js';
import { waitFor } from '../wait.js';
import { below, ownCgroups } from './cgroups.js';
import { ownMounts } from './mounts.js';
import { bridgePorts, isPluginChain, ownRules } from './network.js';
import { ownProcesses } from './processes.js';

/**
 * Removes all that is the suite's from the machine, leaked or not, so that one failure does not become the next
 * suite's. Never removes a file while anything is mounted below: it could be the machine's own.
 */
export async function sweep(scratch: Scratch): Promise<void> {
  await killAll(scratch);
  for (const target of (await ownMounts(scratch)).reverse()) await unmount(target, { detach: true });
  await removeCgroups(scratch);
  await removeNetwork(scratch);
  const mounts = await ownMounts(scratch);
  if (mounts.length > 0) throw internal(`still mounted: ${mounts.join(', ')}`);
  await rm(scratch.dir, { recursive: true, force: true });
}

async function killAll(scratch: Scratch): Promise<void> {
  await waitFor('end of the processes of the suite', 10_000, async () => {
    const left = await ownProcesses(scratch, []);
    for (const { pid } of left) killQuietly(pid);
    return left.length === 0 ? true : undefined;
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

async function removeCgroups(scratch: Scratch): Promise<void> {
  for (const own of await ownCgroups(scratch)) {
    for (const dir of [own, ...(await below(own))].reverse()) {
      await rmdir(dir).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
    }
  }
}

/** The bridge plugin leaves its bridge by design; rules are left only by a DEL that did not run. */
async function removeNetwork(scratch: Scratch): Promise<void> {
  for (const name of [...(await bridgePorts(scratch)), scratch.bridge]) {
    await run('ip', ['link', 'delete', name], { timeoutMs: 10_000 });
  }
  const chains = new Set<string>();
  for (const { table, rule } of await ownRules(scratch)) {
    const [, ...words] = rule.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
    await run('iptables', ['-w', '-t', table, '-D', ...words.map(unquote)], { timeoutMs: 10_000 });
    if (words[0] !== undefined && isPluginChain(words[0])) chains.add(words[0]);
  }
  for (const chain of chains) await run('iptables', ['-w', '-t', 'nat', '-X', chain], { timeoutMs: 10_000 });
}

/** iptables-save puts words with spaces into quotes, and a backslash before quotes within. */
function unquote(word: string): string {
  return word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word;
}
