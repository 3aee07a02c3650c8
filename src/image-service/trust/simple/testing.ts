import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runOk } from '../../../base/spawn.js';
import type { Scratch } from '../../../base/testing.js';

const TIMEOUT_MS = 60_000;

/** A key of GnuPG's with a home of its own, for a test. */
export class GpgKey {
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
  }

  static async make(scratch: Scratch, name: string): Promise<GpgKey> {
    const key = new GpgKey(scratch.path(name));
    await runOk('mkdir', ['-m', '700', key.#home], { timeoutMs: TIMEOUT_MS });
    scratch.defer(() => runOk('gpgconf', ['--homedir', key.#home, '--kill', 'all'], { timeoutMs: TIMEOUT_MS }));
    await key.#gpg(
      '--passphrase',
      '',
      '--quick-generate-key',
      `${name} <${name}@example.test>`,
      'ed25519',
      'sign',
      'never',
    );
    return key;
  }

  async publicKeys({ armor = false } = {}): Promise<Buffer> {
    const { stdout } = await this.#gpg(...(armor ? ['--armor'] : []), '--export');
    return stdout;
  }

  /** A signed message (simple signing), with what it may lie about. */
  async sign(payload: string, ...how: readonly string[]): Promise<Buffer> {
    const [plain, signed] = [join(this.#home, 'plain'), join(this.#home, 'signed')];
    await writeFile(plain, payload);
    await this.#gpg('--yes', '--output', signed, ...how, '--sign', plain);
    return readFile(signed);
  }

  #gpg(...args: readonly string[]) {
    return runOk('gpg', ['--homedir', this.#home, '--batch', ...args], { timeoutMs: TIMEOUT_MS });
  }
}

export function simplePayload(digest: string, reference: string, type = 'atomic container signature'): string {
  const critical = { identity: { 'docker-reference': reference }, image: { 'docker-manifest-digest': digest }, type };
  return JSON.stringify({ critical, optional: { creator: 'a test', timestamp: 1_700_000_000 } });
}
