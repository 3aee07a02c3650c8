import { homedir } from 'node:os';

import { internal, invalidArgument } from '../../base/errors.js';
import { realPaths } from '../../base/host-paths.js';
import { run, tail } from '../../base/spawn.js';

/** A volume may have millions of files. */
const TIMEOUT_MS = 10 * 60_000;

/** The node's own directories, which it could not work without; what lies below some of them is fine. */
const NEVER = new Set([
  ...['/', '/bin', '/boot', '/dev', '/etc', '/etc/passwd', '/etc/pki', '/etc/shadow', '/home', '/lib', '/lib64'],
  ...['/media', '/mnt', '/opt', '/proc', '/root', '/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/usr/bin'],
  ...['/usr/lib', '/usr/lib64', '/usr/sbin', '/usr/share', '/var', '/var/lib', '/var/log', '/var/run', '/var/tmp'],
  homedir(),
]);
/** Below these nothing is anybody's volume. */
const NEVER_BELOW = ['/dev/', '/proc/', '/sys/'];

/**
 * Labels the files of a path and below it, which may lie on a file system that hangs, so a child does it. A file system
 * without labels is fine, as is a file that goes meanwhile; links are labelled themselves, never what they point to.
 * @throws invalid-argument for the node's own directories; deadline-exceeded.
 */
export async function relabel(path: string, label: string): Promise<void> {
  const real = (await realPaths([path], { what: 'mount source' })).get(path) ?? path;
  if (isNodes(real)) throw invalidArgument(`mount source ${path}: ${real} is the node's own and is never relabelled`);
  const args = ['--recursive', '--no-dereference', '--', label, real];
  const { exitCode, stderr } = await run('chcon', args, { timeoutMs: TIMEOUT_MS });
  if (exitCode === 0) return;
  const bad = stderr.toString().split('\n').filter((line) => line !== '' && !HARMLESS.test(line)); // prettier-ignore
  if (bad.length > 0) throw internal(`mount source ${path} cannot be relabelled: ${tail(bad.join('; '), 500)}`);
}

const HARMLESS = /: (Operation not supported|No such file or directory)$/;

/** True for a path without links that is never relabelled. */
export function isNodes(real: string): boolean {
  return NEVER.has(real) || NEVER_BELOW.some((prefix) => real.startsWith(prefix));
}
