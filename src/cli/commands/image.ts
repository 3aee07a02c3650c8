import { resolve } from 'node:path';
import { stdout } from 'node:process';

import { Command } from 'commander';

import { callAdmin } from '../admin-client.js';

const DEFAULT_ADDRESS = '/run/gantry/gantry.sock';
/** Images may be large and disks slow; who loses patience has Ctrl-C. */
const TIMEOUT_MS = 3_600_000;

interface ImportedImage {
  readonly id: string;
  readonly repoTags: readonly string[];
}

/** `gantry image …`; the socket is the parent command's `--address`. */
export function imageCommand(): Command {
  const image = new Command('image').description('work with images');
  image
    .command('import')
    .description('import the images of an OCI layout')
    .argument('<path>', 'directory of the layout, or a tar archive of it')
    .option('--name <reference>', 'name for the image, if the layout holds one')
    .action(async (path: string, options: { name?: string }, command: Command) => {
      const { address = DEFAULT_ADDRESS } = command.optsWithGlobals<{ address?: string }>();
      const request = { path: resolve(path), ...options };
      const answer = await callAdmin({ address, method: 'ImportImage', request, timeoutMs: TIMEOUT_MS });
      for (const imported of (answer as { images: ImportedImage[] }).images) stdout.write(`${line(imported)}\n`);
    });
  return image;
}

function line({ id, repoTags }: ImportedImage): string {
  return [...repoTags, id].join(' ');
}
