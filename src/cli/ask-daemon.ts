import type { Command } from 'commander';

import { callAdmin } from './admin-client.js';

const DEFAULT_ADDRESS = '/run/gantry/gantry.sock';
/** Images may be large and disks slow; who loses patience has Ctrl-C. */
const TIMEOUT_MS = 3_600_000;

/** Asks the daemon at the `--address` that was given before the command. */
export async function askDaemon(command: Command, method: string, request: object): Promise<unknown> {
  const { address = DEFAULT_ADDRESS } = command.optsWithGlobals<{ address?: string }>();
  return callAdmin({ address, method, request, timeoutMs: TIMEOUT_MS });
}
