import { access, readFile } from 'node:fs/promises';

import { errnoOf, notFound } from '../../src/base/errors.js';
import { runOk } from '../../src/base/spawn.js';
import { directory, file, hardlink, type Entry } from './entries.js';

/** Debian 12 has it in /bin, later releases in /usr/bin. */
const PLACES = ['/usr/bin/busybox', '/bin/busybox'];

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
  'www-data:x:33:33:www-data:/var/www:/bin/false',
  'nobody:x:65534:65534:nobody:/home:/bin/false',
];
const GROUP = ['root:x:0:', 'daemon:x:1:', 'www-data:x:33:', 'nogroup:x:65534:'];

export interface BusyboxOptions {
  /** Applets that the image brings from elsewhere. */
  readonly without?: readonly string[];
  /** More lines of /etc/passwd and /etc/group. */
  readonly passwd?: readonly string[];
  readonly group?: readonly string[];
}

/**
 * A root file system of this machine's busybox, one name an applet.
 * @throws not-found where busybox-static is not installed.
 */
export async function busybox(options: BusyboxOptions = {}): Promise<Entry[]> {
  const path = await busyboxPath();
  const { stdout } = await runOk(path, ['--list'], { timeoutMs: 10_000 });
  const left = new Set(['busybox', ...(options.without ?? [])]);
  const applets = stdout
    .toString()
    .split('\n')
    .filter((applet) => applet !== '' && !left.has(applet));
  return [
    file('bin/busybox', await readFile(path), { mode: 0o755 }),
    ...applets.map((applet) => hardlink(`bin/${applet}`, 'bin/busybox')),
    ...['dev', 'proc', 'sys', 'var/www', 'usr/sbin'].map((name) => directory(name)),
    directory('tmp', { mode: 0o1777 }),
    directory('root', { mode: 0o700 }),
    directory('home', { uid: 65534, gid: 65534 }),
    file('etc/passwd', lines([...PASSWD, ...(options.passwd ?? [])])),
    file('etc/group', lines([...GROUP, ...(options.group ?? [])])),
  ];
}

export async function busyboxPath(): Promise<string> {
  for (const path of PLACES) {
    if (await exists(path)) return path;
  }
  throw notFound(`busybox is in none of ${PLACES.join(', ')}: install busybox-static`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
