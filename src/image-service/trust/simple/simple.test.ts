import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, until, useScratch } from '../../../base/testing.js';
import { parseReference } from '../../registry/reference.js';
import { GpgKey } from './testing.js';
import { toKeyring } from './keyring.js';
import { Lookaside } from './lookaside.js';
import { signedText } from './verify.js';

const scratch = useScratch('simple');

describe('a message signed by GPG', () => {
  let key: GpgKey;
  let stranger: GpgKey;
  beforeEach(async () => {
    [key, stranger] = await Promise.all([GpgKey.make(scratch, 'k'), GpgKey.make(scratch, 's')]);
  });

  it('is read with a key of one of the keyrings, armoured or not, and with no other', async () => {
    const [binary, armored, other] = [
      toKeyring(await key.publicKeys()),
      toKeyring(await key.publicKeys({ armor: true })),
      toKeyring(await stranger.publicKeys()),
    ];
    const message = await key.sign('{"a":1}');
    for (const keyrings of [[binary], [armored], [other, armored], [Buffer.concat([other, binary])]])
      expect((await signedText(message, keyrings))?.toString()).toBe('{"a":1}');
    expect(await signedText(message, [other])).toBeUndefined();
    expect(await signedText(message, [])).toBeUndefined();
  });

  it('is nothing if it was changed, is not signed, has its text elsewhere, or has expired', async () => {
    const keyring = toKeyring(await key.publicKeys());
    const message = await key.sign('payload', '--compress-algo', 'none');
    const changed = Buffer.from(message);
    changed[changed.indexOf('payload')] = 0x50;
    const detached = await key.sign('payload', '--detach-sign');
    for (const bad of [changed, Buffer.from('payload'), Buffer.of(), detached])
      expect(await signedText(bad, [keyring])).toBeUndefined();
    const short = await key.sign('payload', '--default-sig-expire', 'seconds=1');
    await until(async () => (await signedText(short, [keyring])) === undefined);
  });
});

describe('a keyring', () => {
  it.each(['', 'text', '-----BEGIN PGP PUBLIC KEY BLOCK-----', '-----BEGIN PUBLIC KEY-----\nAAAA\n'])(
    'is not %j',
    (text) => {
      expect(() => toKeyring(Buffer.from(text))).toThrow('no public key of OpenPGP');
    },
  );
});

describe('registries.d', () => {
  async function baseFor(image: string, files: Readonly<Record<string, string>>): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      const path = scratch.path('registries.d', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    return new Lookaside(scratch.path('registries.d')).baseFor(parseReference(image));
  }

  it('says the place by the longest name, its own default, or the default of all', async () => {
    const files = {
      'default.yaml': 'default-docker:\n  lookaside: file:///srv/all\n  use-sigstore-attachments: true\n',
      'r.yaml':
        'docker:\n  r.test:\n    sigstore: https://sigs.r.test\n  r.test/team:\n    lookaside: http://t.test/s\n',
    };
    expect(await baseFor('r.test/other/app:v1', {})).toBe('file:///var/lib/containers/sigstore');
    expect(await baseFor('r.test/other/app:v1', files)).toBe('https://sigs.r.test');
    expect(await baseFor('r.test/team/app:v1', files)).toBe('http://t.test/s');
    expect(await baseFor('q.test/app', files)).toBe('file:///srv/all');
    expect(await new Lookaside('').baseFor(parseReference('x'))).toBe('file:///var/lib/containers/sigstore');
  });

  it.each([
    [{ 'a.yaml': '[' }, /a\.yaml is not YAML/],
    [{ 'a.yaml': '- 1' }, /a\.yaml is no map/],
    [{ 'a.yaml': 'docker: x' }, /a\.yaml: docker is no map/],
    [{ 'a.yaml': 'docker: {r.test: {lookaside: "ftp://x"}}' }, /docker\["r\.test"\] has "ftp:\/\/x"/],
    [{ 'a.yaml': 'docker: {r.test: {}}', 'b.yaml': 'docker: {r.test: {}}' }, /a\.yaml and .*b\.yaml both speak of/],
  ])('is refused as %j', async (files, message) => {
    expect(await rejection(baseFor('r.test/app', files))).toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(message),
    });
  });
});
