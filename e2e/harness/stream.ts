import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TOOLS } from './crictl.js';
import type { House } from './house.js';
import { startService, stopService } from './service.js';

/** A command of crictl that goes on until it is stopped. */
export interface Stream {
  /** What it has said so far, on both streams. */
  text(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts such a command; `name` is its own among those of the suite. */
export async function startStream(house: House, name: string, ...args: string[]): Promise<Stream> {
  const file = join(house.scratch.dir, `${name}.out`);
  const config = join(house.scratch.dir, 'crictl.yaml');
  const service = await startService(join(TOOLS, 'crictl'), ['--config', config, ...args], file);
  const stop = async (): Promise<void> => {
    await stopService(service);
  };
  return { text: () => readFile(file, 'utf8'), stop };
}
