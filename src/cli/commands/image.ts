import { resolve } from 'node:path';
import { stdin, stdout } from 'node:process';
import { text } from 'node:stream/consumers';

import { Command } from 'commander';

import { invalidArgument } from '../../base/errors.js';
import { askDaemon, askWatching } from '../ask-daemon.js';
import { addExport } from './image-export.js';
import { imageTable, namesAndId, sizeText, type ImageSummary } from './image-summary.js';

interface Images {
  readonly images: readonly ImageSummary[];
}

/** `gantry image …` */
export function imageCommand(): Command {
  const image = new Command('image').description('work with images');
  addPull(image);
  addQuestions(image);
  addRemovals(image);
  addCheck(image);
  image
    .command('import')
    .description('import the images of an OCI layout or of what docker save wrote')
    .argument('<path>', 'directory, or a tar archive of it')
    .option('--name <reference>', 'name for the image, if the layout holds one')
    .action(async (path: string, options: { name?: string }, command: Command) => {
      const answer = await askWatching(command, 'WatchImport', { path: resolve(path), ...options });
      for (const imported of (answer as Images).images) print(namesAndId(imported));
    });
  addExport(image);
  return image;
}

function addPull(image: Command): void {
  image
    .command('pull')
    .description('pull an image')
    .argument('<image>')
    .option('--username <name>', 'who pulls; without it, the auth file of the daemon says')
    .option('--password-stdin', 'read the password from standard input')
    .action(async (name: string, options: { username?: string; passwordStdin?: true }, command: Command) => {
      const { username, passwordStdin } = options;
      if ((username === undefined) !== (passwordStdin === undefined))
        throw invalidArgument('--username and --password-stdin go together');
      const password = passwordStdin === undefined ? undefined : (await text(stdin)).replace(/\r?\n$/, '');
      const pulled = await askWatching(command, 'WatchPull', { image: name, username, password });
      print(namesAndId(pulled as ImageSummary));
    });
}

function addQuestions(image: Command): void {
  image
    .command('list')
    .description('list the images')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const { images } = (await askDaemon(command, 'ListImages', {})) as Images;
      print(options.json ? JSON.stringify(images, null, 2) : imageTable(images));
    });
  image
    .command('inspect')
    .description('print all that is known of an image, as JSON')
    .argument('<image>')
    .action(async (name: string, _options: object, command: Command) =>
      print(JSON.stringify(await askDaemon(command, 'InspectImage', { image: name }), null, 2)),
    );
}

function addRemovals(image: Command): void {
  image
    .command('remove')
    .description('remove images with all their names; layers in use stay until they are let go')
    .argument('<image...>')
    .action(async (names: string[], _options: object, command: Command) => {
      for (const name of names) print(((await askDaemon(command, 'RemoveImage', { image: name })) as ImageSummary).id);
    });
  image
    .command('prune')
    .description('remove the images that nobody uses and that are not pinned')
    .action(async (_options: object, command: Command) => {
      const { images } = (await askDaemon(command, 'PruneImages', {})) as Images;
      for (const removed of images) print(`${namesAndId(removed)} (${sizeText(removed.size)})`);
    });
}

interface Damaged extends ImageSummary {
  readonly layers: readonly { readonly chainId: string; readonly why: string }[];
  readonly inUse: boolean;
  readonly removed: boolean;
}

function addCheck(image: Command): void {
  image
    .command('check')
    .description('count the files of all layers again; exits with 1 if some are not as they were unpacked')
    .option('--repair', 'remove damaged images that nobody uses, so that the next pull fetches them')
    .action(async ({ repair = false }: { repair?: boolean }, command: Command) => {
      const answer = await askDaemon(command, 'CheckImages', { repair });
      const { layers, images } = answer as { layers: number; images: readonly Damaged[] };
      for (const each of images) {
        const state = each.removed ? 'removed' : each.inUse ? 'in use' : 'damaged';
        for (const { chainId, why } of each.layers) print(`${namesAndId(each)} (${state}): layer ${chainId} ${why}`);
      }
      print(`${layers} layers counted, ${images.length} images damaged`);
      if (images.some(({ removed }) => !removed)) process.exitCode = 1;
    });
}

function print(line: string): void {
  stdout.write(`${line}\n`);
}
