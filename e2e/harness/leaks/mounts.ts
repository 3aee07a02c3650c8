import { readFile } from 'node:fs/promises';

import type { Scratch } from '../scratch.js';

/** Mount points below the scratch directory, in the order of mounting. */
export async function ownMounts(scratch: Scratch): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const targets = lines.map((line) => unescape(line.split(' ')[4] ?? ''));
  return targets.filter((target) => target.startsWith(`${scratch.dir}/`));
}

/** A daemon may hold its network namespace directory shared, a mount on itself; a suite may have put `root` or `state` on a disk. */
export async function leakedMounts(scratch: Scratch): Promise<string[]> {
  const kept = [scratch.netns, scratch.root, scratch.state];
  const mounts = (await ownMounts(scratch)).filter((target) => !kept.includes(target));
  return mounts.map((target) => `mount ${target}`);
}

/** proc(5): space, tab, newline and backslash stand as octal numbers. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
