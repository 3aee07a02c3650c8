import type { Command } from 'commander';

import { callAdmin, type AdminCall } from './admin-client.js';
import type { LayerProgress } from '../image-service/progress.js';
import { progressDisplay } from './progress-display.js';
import { streamAdmin, type AdminMessage } from './stream-client.js';

const DEFAULT_ADDRESS = '/run/gantry/gantry.sock';
/** Images may be large and disks slow; who loses patience has Ctrl-C. */
const TIMEOUT_MS = 3_600_000;

/** Asks the daemon at the `--address` that was given before the command. */
export function askDaemon(command: Command, method: string, request: object): Promise<unknown> {
  return callAdmin(callOf(command, method, request));
}

/** The same for calls with many answers. */
export function askStream(command: Command, method: string, request: object): AsyncGenerator<AdminMessage> {
  return streamAdmin(callOf(command, method, request));
}

/** Asks for something that takes long, and shows how far it is on standard error. */
export async function askWatching(command: Command, method: string, request: object): Promise<unknown> {
  const display = progressDisplay(process.stderr);
  let result: unknown;
  try {
    for await (const message of askStream(command, method, request)) {
      if (Buffer.isBuffer(message)) continue;
      display.update((message['layers'] as LayerProgress[] | undefined) ?? []);
      result = message['result'];
    }
  } finally {
    display.end(result !== undefined);
  }
  return result;
}

function callOf(command: Command, method: string, request: object): AdminCall {
  const { address = DEFAULT_ADDRESS } = command.optsWithGlobals<{ address?: string }>();
  return { address, method, request, timeoutMs: TIMEOUT_MS };
}
