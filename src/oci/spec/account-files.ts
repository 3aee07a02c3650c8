import { unstartable } from '../../base/errors.js';
import { readHostFile } from '../../base/host-paths.js';
import { readInRoot } from '../../base/sys/sys.js';
import type { ContainerView, ViewedPath } from './container-view.js';
import { MAX_TABLE_BYTES, parsePasswd } from './user.js';

/** What runc before 1.3 opens in every new container, and others without HOME in its environment. */
const FILES = ['/etc/passwd', '/etc/group'] as const;

/**
 * Checks the files that the runtime's first process opens in the container, through its links and mounts: it would wait for
 * a fifo's writer, and read the kernel's log to its end, which never comes.
 * @throws unstartable naming what is no regular file, or is too large.
 */
export async function checkAccountFiles(view: ContainerView): Promise<void> {
  for (const path of FILES) await findAccountFile(view, path);
}

/** The user's home directory as the container's own /etc/passwd has it, as runtimes look for it; else `/`. */
export async function homeOf(view: ContainerView, rootfs: string, uid: number): Promise<string> {
  const found = await findAccountFile(view, '/etc/passwd');
  if (found?.hostPath === undefined) return '/';
  const bytes = found.ofImage
    ? await readInRoot(rootfs, found.path, MAX_TABLE_BYTES)
    : await readHostFile(found.hostPath, MAX_TABLE_BYTES, { what: 'mount source' });
  const lines = (bytes ?? '').toString().split('\n');
  return lines.flatMap(parsePasswd).find((entry) => entry.uid === uid)?.home || '/';
}

async function findAccountFile(view: ContainerView, path: string): Promise<ViewedPath | undefined> {
  const found = await view.find(path);
  if (found === undefined) return undefined;
  const { look } = found;
  const what = found.path === path ? `the container's ${path}` : `the container's ${path}, a link to ${found.path},`;
  if (look?.type !== 'file') throw unstartable(`${what} is no regular file`);
  if (look.size > MAX_TABLE_BYTES) throw unstartable(`${what} has more than ${MAX_TABLE_BYTES} bytes`);
  return found;
}
