import { writeFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';

import { unavailable } from '../base/errors.js';
import { mapLine, type IdMappings } from '../base/id-mapping.js';
import { bounded, endOf, start } from '../base/spawn.js';

const TIMEOUT_MS = 10_000;

/**
 * Makes a user namespace, and unless `network` says otherwise a network namespace that it owns, for as long as `use` runs,
 * which may pin them by the pid of the process that is in them. Only a process without other threads can make one
 * (unshare(2)), so a child does; it ends with the daemon, too.
 * @throws unavailable where the kernel or its limits allow none.
 */
export async function withUserNamespace<T>(
  mappings: IdMappings,
  use: (pid: number) => Promise<T>,
  { network = 'own' }: { readonly network?: 'own' | 'node' } = {},
): Promise<T> {
  const namespaces = network === 'own' ? ['--user', '--net'] : ['--user'];
  // It echoes once it has unshared, and ends when its input does.
  const child = start('unshare', [...namespaces, '--', 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [input, output] = child.stdio as unknown as [Writable, Readable];
  input.on('error', () => undefined);
  const ended = endOf(child, 'unshare', 'exit');
  try {
    const echoed = Promise.race([firstByte(output), ended.then(() => false)]);
    input.write('.');
    const ready = await bounded(child, echoed, { timeoutMs: TIMEOUT_MS, what: 'unshare' });
    if (!ready || child.pid === undefined)
      throw unavailable(`no user namespace can be made: ${await saidBy(child.stderr)}`);
    await writeFile(`/proc/${child.pid}/uid_map`, mapLine(mappings.uid));
    await writeFile(`/proc/${child.pid}/gid_map`, mapLine(mappings.gid));
    return await use(child.pid);
  } finally {
    input.end();
    await ended.catch(() => undefined);
  }
}

function firstByte(stream: Readable): Promise<boolean> {
  return new Promise((resolve) => {
    stream.once('data', () => resolve(true));
  });
}

async function saidBy(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString().trim();
}
