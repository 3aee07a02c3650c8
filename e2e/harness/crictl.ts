import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { commandLine, run } from '../../src/base/spawn.js';
import { internal } from '../../src/base/errors.js';
import type { Scratch } from './scratch.js';
import { patience } from './settings.js';

/** Where scripts/build-tools.sh puts the clients. */
export const TOOLS = join(PROJECT_ROOT, '.cache', 'tools');

export interface CrictlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** crictl, talking to one suite's daemon. */
export interface Crictl {
  /** Whatever the exit code. */
  run(...args: string[]): Promise<CrictlResult>;
  /** Its output, without the last newline. @throws internal with stderr for any exit code but 0. */
  ok(...args: string[]): Promise<string>;
  /** Its output with `-o json`, parsed. */
  json(...args: string[]): Promise<unknown>;
}

const CALL_SECONDS = patience(30);

/** Writes crictl's configuration, so that none of the machine's is read. */
export async function makeCrictl(scratch: Scratch): Promise<Crictl> {
  const config = join(scratch.dir, 'crictl.yaml');
  const endpoint = `unix://${scratch.socket}`;
  const settings = { 'runtime-endpoint': endpoint, 'image-endpoint': endpoint, timeout: CALL_SECONDS };
  await writeFile(config, JSON.stringify(settings));
  return crictlWith(config);
}

function crictlWith(config: string): Crictl {
  const call = async (...args: string[]): Promise<CrictlResult> => {
    const all = ['--config', config, ...args];
    const result = await run(join(TOOLS, 'crictl'), all, { timeoutMs: 2 * CALL_SECONDS * 1000 });
    return { code: result.exitCode, stdout: result.stdout.toString(), stderr: result.stderr.toString() };
  };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(...args);
    if (code === 0) return stdout.trimEnd();
    throw internal(`${commandLine('crictl', args)}: exit code ${code}: ${stderr.trim()}`);
  };
  const json = async (command = '', ...args: string[]): Promise<unknown> =>
    JSON.parse(await ok(command, '-o', 'json', ...args));
  return { run: call, ok, json };
}
