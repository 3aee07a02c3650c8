import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { failedPrecondition, hasCode } from '../../../base/errors.js';
import { readRegular } from '../../../base/files.js';
import { run, type RunResult } from '../../../base/spawn.js';

const TIMEOUT_MS = 30_000;

/**
 * The text that a signed OpenPGP message holds, if it has exactly one signature and that is good, by a key of the
 * keyrings that has neither expired nor been revoked; else undefined. GnuPG's `gpgv` decides.
 * @throws failed-precondition where there is no gpgv
 */
export async function signedText(message: Buffer, keyrings: readonly Buffer[]): Promise<Buffer | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-gpgv-'));
  try {
    const files = keyrings.map((_, index) => join(directory, `keys-${index}.gpg`));
    await Promise.all(keyrings.map((bytes, index) => writeFile(files[index] ?? '', bytes)));
    const [signed, text] = [join(directory, 'message'), join(directory, 'text')];
    await writeFile(signed, message);
    const options = ['--homedir', directory, '--status-fd', '1', '--output', text];
    const { exitCode, stdout } = await gpgv([...options, ...files.flatMap((file) => ['--keyring', file]), signed]);
    if (exitCode !== 0 || !isGood(stdout.toString('latin1'))) return undefined;
    return await readRegular(text).catch(() => undefined);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function gpgv(args: readonly string[]): Promise<RunResult> {
  try {
    return await run('gpgv', args, { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!hasCode(error, 'unavailable')) throw error;
    throw failedPrecondition('signatures of GPG keys are checked by gpgv, which cannot be run', error);
  }
}

/** GnuPG, doc/DETAILS: one line of status an event. An expired or revoked key has a line other than GOODSIG. */
function isGood(status: string): boolean {
  const events = [...status.matchAll(/^\[GNUPG:\] (\S+)/gm)].map(([, event = '']) => event);
  const count = (event: string): number => events.filter((one) => one === event).length;
  const bad = ['BADSIG', 'ERRSIG', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG'];
  return count('NEWSIG') === 1 && count('GOODSIG') === 1 && count('VALIDSIG') === 1 && !bad.some(count);
}
