import { mkdirSync, writeFileSync } from 'node:fs';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { useScratch } from '../base/testing.js';
import { useSigningHouse, type PushedImage } from './signing-fixture.js';
import { GpgKey, simplePayload } from './trust/simple/testing.js';

const scratch = useScratch('simple-signing');
const signing = useSigningHouse(() => {
  mkdirSync(scratch.path('registries.d'), { recursive: true });
  return scratch.path('registries.d');
});
let key: GpgKey;

beforeEach(async () => {
  key = await GpgKey.make(scratch, 'k');
  const keyPath = scratch.path('keys.asc');
  writeFileSync(keyPath, await key.publicKeys({ armor: true }));
  signing.demand({ type: 'signedBy', keyType: 'GPGKeys', keyPath });
});

async function push(): Promise<PushedImage & { readonly path: string }> {
  const pushed = await signing.push();
  return { ...pushed, path: `${pushed.repository}@${pushed.digest.replace(':', '=')}` };
}

function lookaside(base: string): void {
  writeFileSync(scratch.path('registries.d', 'r.yaml'), `docker:\n  r.test:\n    lookaside: ${base}\n`);
}

function leave(path: string, signatures: readonly Buffer[]): void {
  mkdirSync(scratch.path('sigs', path), { recursive: true });
  signatures.forEach((bytes, index) => writeFileSync(scratch.path('sigs', path, `signature-${index + 1}`), bytes));
}

describe('an image that must be signed by a GPG key', () => {
  it('is pulled with a good signature among others, in files', async () => {
    const { name, path, digest, id } = await push();
    lookaside(`file://${scratch.path('sigs')}`);
    leave(path, [Buffer.from('no message'), await key.sign(simplePayload(digest, name))]);
    expect((await signing.house.service.pull(name)).id).toBe(id);
  });

  it('is pulled with a good signature that a server has', async () => {
    const { name, path, digest, id } = await push();
    const signature = await key.sign(simplePayload(digest, name));
    const seen: string[] = [];
    const address = await signing.house.serve((request, response) => {
      seen.push(request.url ?? '');
      if (request.url?.endsWith('/signature-1')) response.end(signature);
      else response.writeHead(404).end();
    });
    lookaside(`http://${address}/base/`);
    expect((await signing.house.service.pull(name)).id).toBe(id);
    expect(seen).toEqual([`/base/${path}/signature-1`, `/base/${path}/signature-2`]);
  });

  it('is refused without one, saying why', async () => {
    const { name, path, digest } = await push();
    const failure = async (): Promise<string> => {
      const { code, message } = await signing.house.failure(name);
      expect(code).toBe('signature-validation-failed');
      return message;
    };
    lookaside(`file://${scratch.path('sigs')}`);
    expect(await failure()).toContain('it has no signature');
    const stranger = await GpgKey.make(scratch, 's');
    const zero = `sha256:${'0'.repeat(64)}`;
    const payloads = [
      simplePayload(zero, name),
      simplePayload(digest, 'r.test/other:v1'),
      simplePayload(digest, name, 'cosign container image signature'),
    ];
    leave(path, [await stranger.sign(simplePayload(digest, name))]);
    expect(await failure()).toMatch(/: a signature is of no trusted key$/);
    const own: Buffer[] = [];
    for (const text of payloads) own.push(await key.sign(text));
    leave(path, own);
    const message = await failure();
    expect(message).toContain(`a signature is of "${zero}"`);
    expect(message).toContain('a signature is for "r.test/other:v1", which matchRepoDigestOrExact does not accept');
    expect(message).toContain('a signature claims nothing that is understood');
  });
});
