import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { AUTH_FILES, credentialChain } from './credential-chain.js';

let scratch: string;
let files: string[];
const path = process.env['PATH'];

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-chain-'));
  files = ['first', 'none', 'second'].map((name) => join(scratch, name));
  const auth = (user: string): object => ({ auth: Buffer.from(`${user}:secret`).toString('base64') });
  writeFileSync(files[0] ?? '', JSON.stringify({ auths: { 'a.test': auth('first') } }));
  writeFileSync(files[2] ?? '', JSON.stringify({ auths: { 'a.test': auth('second'), 'b.test/team': auth('second') } }));
  const helper = join(scratch, 'docker-credential-chain');
  writeFileSync(
    helper,
    '#!/bin/sh\nread -r server\n[ "$server" = a.test ] || { echo credentials not found in native keychain; exit 1; }\necho \'{"Username":"helper","Secret":"s"}\'\n',
  );
  chmodSync(helper, 0o755);
  process.env['PATH'] = `${scratch}:${path ?? ''}`;
});
afterAll(() => {
  process.env['PATH'] = path;
  rmSync(scratch, { recursive: true });
});

/** Who is shown to a registry, and where that is from. */
async function found(helpers: readonly string[], registry: string, repository = 'team/x'): Promise<unknown> {
  const store = await credentialChain({ authFiles: files, helpers });
  const credentials = await store.find(registry, repository);
  return credentials && [(credentials.credentials as { username?: string }).username, credentials.from];
}

describe('credentialChain', () => {
  it('asks the files in their order', async () => {
    expect(await found([AUTH_FILES], 'a.test')).toEqual(['first', `the entry a.test of ${files[0]}`]);
    expect(await found([AUTH_FILES], 'b.test')).toEqual(['second', `the entry b.test/team of ${files[2]}`]);
    expect(await found([AUTH_FILES], 'b.test', 'other/x')).toBeUndefined();
  });

  it('asks helpers and files as registries.conf orders them', async () => {
    const from = 'docker-credential-chain, a helper of registries.conf';
    expect(await found(['chain', AUTH_FILES], 'a.test')).toEqual(['helper', from]);
    expect(await found([AUTH_FILES, 'chain'], 'a.test')).toEqual(['first', `the entry a.test of ${files[0]}`]);
    expect(await found(['chain', AUTH_FILES], 'b.test')).toEqual(['second', `the entry b.test/team of ${files[2]}`]);
    expect(await found(['chain'], 'b.test')).toBeUndefined();
  });
});
