import { readFile } from 'node:fs/promises';

/** A mount as /proc/self/mountinfo has it (proc(5)). */
export interface MountEntry {
  readonly mountPoint: string;
  /** Gives events to its peers, and so to what is mounted below it elsewhere. */
  readonly shared: boolean;
  /** Takes events from a master. */
  readonly slave: boolean;
}

/** The mounts of the daemon's own namespace; reading them touches none of their file systems. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

export function parseMountTable(text: string): MountEntry[] {
  return text.split('\n').filter(Boolean).map(parseLine);
}

/** `36 35 98:0 /root /point rw,noatime shared:1 master:2 - ext4 /dev/vda rw`: any number of fields up to the dash. */
function parseLine(line: string): MountEntry {
  const fields = line.split(' ');
  const optional = fields.slice(6, fields.indexOf('-', 6));
  const has = (name: string): boolean => optional.some((field) => field.startsWith(`${name}:`));
  return { mountPoint: unescapeOctal(fields[4] ?? ''), shared: has('shared'), slave: has('master') };
}

/** White space and backslashes are octal there. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mount that a path without links is in: the longest mount point above it, the last of those stacked there. */
export function mountOf(table: readonly MountEntry[], path: string): MountEntry | undefined {
  const above = table.filter(({ mountPoint }) => isBelow(path, mountPoint));
  const longest = Math.max(...above.map(({ mountPoint }) => mountPoint.length));
  return above.findLast(({ mountPoint }) => mountPoint.length === longest);
}

function isBelow(path: string, mountPoint: string): boolean {
  return mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
}
