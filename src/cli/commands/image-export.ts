import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stderr, stdout } from 'node:process';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

import type { Command } from 'commander';

import { invalidArgument } from '../../base/errors.js';
import { removeTree } from '../../base/files.js';
import type { ExportResult } from '../../image-service/export-images.js';
import { TarReader } from '../../image-service/layers/tar-reader.js';
import { DEFAULT_LIMITS } from '../../image-service/layers/unpack-job.js';
import { Untar } from '../../image-service/layers/untar.js';
import { askStream } from '../ask-daemon.js';

interface ExportOptions {
  readonly output?: string;
  readonly format: string;
  readonly directory?: true;
}

/** Where the archive's bytes go. */
interface Target {
  write(chunk: Buffer): Promise<void> | void;
  end(): Promise<void> | void;
  /** Removes what was written: a part of an archive is none. */
  drop(): Promise<void>;
}

/** Adds `gantry image export`. */
export function addExport(image: Command): void {
  image
    .command('export')
    .description('write images as one archive; their layers are packed anew, so digests and ids change')
    .argument('<image...>')
    .option('-o, --output <path>', 'file, or with --directory a new directory; standard output if not given, or -')
    .option('--format <format>', 'oci: an OCI layout; docker: what docker save writes', 'oci')
    .option('--directory', 'write the files themselves, not a tar archive of them')
    .action(async (images: string[], { output, format, directory }: ExportOptions, command: Command) => {
      const target = await openTarget(output === '-' ? undefined : output, directory === true);
      try {
        for await (const message of askStream(command, 'ExportImages', { images, format })) {
          if (Buffer.isBuffer(message)) await target.write(message);
          else tell(message['exported'] as ExportResult[]);
        }
        await target.end();
      } catch (error) {
        await target.drop();
        throw error;
      }
    });
}

/** Nothing may be mixed into the archive, so this goes to standard error. */
function tell(results: readonly ExportResult[]): void {
  for (const { id, exportedId, names } of results)
    if (id !== exportedId)
      stderr.write(`${names[0] ?? id}: packed anew, the image is ${exportedId} in the archive and ${id} here\n`);
}

async function openTarget(output: string | undefined, directory: boolean): Promise<Target> {
  if (directory) return intoDirectory(output);
  if (output === undefined && stdout.isTTY) throw invalidArgument('an archive is not for a terminal: use --output');
  return output === undefined ? intoStream(stdout) : intoFile(resolve(output));
}

async function intoFile(path: string): Promise<Target> {
  const file = await open(path, 'wx');
  return { ...intoStream(file.createWriteStream()), drop: () => rm(path) };
}

function intoStream(stream: Writable): Target {
  const failed = stream === stdout ? undefined : finished(stream);
  failed?.catch(() => undefined);
  return {
    async write(chunk) {
      if (stream.write(chunk)) return;
      await Promise.race([once(stream, 'drain'), ...(failed === undefined ? [] : [failed])]);
    },
    async end() {
      if (stream !== stdout) stream.end();
      await failed;
    },
    drop: () => Promise.resolve(),
  };
}

async function intoDirectory(output: string | undefined): Promise<Target> {
  if (output === undefined) throw invalidArgument('--directory needs --output');
  await mkdir(resolve(output));
  const untar = new Untar(resolve(output));
  const reader = new TarReader(untar, DEFAULT_LIMITS);
  return {
    write: (chunk) => reader.push(chunk),
    end() {
      reader.end();
      untar.finish([]);
    },
    drop: () => removeTree(resolve(output)),
  };
}
