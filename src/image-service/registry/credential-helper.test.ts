import { afterAll, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../../base/errors.js';
import { rejection, useScratch } from '../../base/testing.js';
import { parseAuthFile } from './auth-file.js';
import { askHelper } from './credential-helper.js';
import { retryAfterOf } from './transient.js';

const scratch = useScratch('helper');
const path = process.env['PATH'] ?? '';

afterAll(() => {
  process.env['PATH'] = path;
});

/** Makes a helper that answers with a shell script's output. */
async function helper(name: string, body: string): Promise<void> {
  process.env['PATH'] = `${scratch.root}:${path}`;
  await scratch.script(`docker-credential-${name}`, body);
}

describe('a credential helper', () => {
  it('is asked for a registry by the name that Docker has for it', async () => {
    await helper('echo', `printf '{"ServerURL":"x","Username":"%s","Secret":"%s"}' "$1" "$(cat)"`);
    expect(await askHelper('echo', 'r.test:5000')).toEqual({ kind: 'basic', username: 'get', password: 'r.test:5000' });
    expect(await askHelper('echo', 'docker.io')).toMatchObject({ password: 'https://index.docker.io/v1/' });
  });

  it('may answer with a refresh token, or know nothing', async () => {
    await helper('token', `echo '{"Username":"<token>","Secret":"refresh"}'`);
    expect(await askHelper('token', 'r.test')).toEqual({ kind: 'identity', token: 'refresh' });
    await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    expect(await askHelper('none', 'r.test')).toBeUndefined();
  });

  it.each([
    [
      'breaks',
      'echo secret; echo no account >&2; exit 3',
      /docker-credential-bad for r.test exited with 3: no account$/,
    ],
    ['answers rubbish', 'echo secret', /the answer of docker-credential-bad for r.test is not JSON$/],
    ['has no secret', `echo '{"Username":"secret"}'`, /answered without a secret$/],
  ])('that %s is named, without its output', async (_what, body, message) => {
    await helper('bad', body);
    const error = await rejection(askHelper('bad', 'r.test'));
    expect(describeError(error)).toMatch(message);
    expect(describeError(error).replace('a secret', '')).not.toContain('secret');
  });

  it('that is missing, or no name, is an error', async () => {
    const missing = await rejection(askHelper('missing', 'r.test'));
    expect(describeError(missing)).toContain('docker-credential-missing for r.test: cannot start');
    expect([codeOf(missing), retryAfterOf(missing)]).toEqual(['failed-precondition', undefined]);
    expect(codeOf(await rejection(askHelper('../evil', 'r.test')))).toBe('failed-precondition');
  });

  it('of a registry goes before the entries, the one for all comes after them', async () => {
    await helper('own', `echo '{"Username":"own","Secret":"s"}'`);
    await helper('all', `echo '{"Username":"all","Secret":"s"}'`);
    const auth = Buffer.from('entry:1').toString('base64');
    const auths = { 'own.test': { auth }, 'entry.test': { auth } };
    const file = parseAuthFile(JSON.stringify({ auths, credHelpers: { 'own.test': 'own' }, credsStore: 'all' }), 'f');
    const found = await Promise.all(['own.test', 'entry.test', 'other.test'].map((name) => file.find(name, 'x')));
    expect(found.map((one) => one?.credentials)).toMatchObject([
      { username: 'own' },
      { username: 'entry' },
      { username: 'all' },
    ]);
    expect(found.map((one) => one?.from)).toEqual([
      'docker-credential-own',
      'the entry entry.test of f',
      'docker-credential-all',
    ]);
  });
});
