import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../../base/errors.js';
import { rejection } from '../../base/testing.js';
import { takeNamespacedAuth } from './namespaced-auth.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-namespaced-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function leave(namespace: string, name: string, content: string): string {
  const path = join(directory, `${namespace}-${createHash('sha256').update(name).digest('hex')}.json`);
  writeFileSync(path, content);
  return path;
}

const CONTENT = JSON.stringify({
  auths: { 'mirror.test:5000/team': { auth: Buffer.from('me:secret').toString('base64') } },
});

describe('the credentials of a namespace', () => {
  it('are for an image by its complete name without tag and digest, and for one pull', async () => {
    const digest = `@sha256:${'a'.repeat(64)}`;
    for (const image of ['busybox', 'busybox:1', `docker.io/library/busybox:1${digest}`]) {
      const path = leave('team', 'docker.io/library/busybox', CONTENT);
      expect(await takeNamespacedAuth(directory, { namespace: 'other', image })).toBeUndefined();
      expect(await takeNamespacedAuth(directory, { namespace: 'team', image: 'r.test/busybox' })).toBeUndefined();
      const taken = await takeNamespacedAuth(directory, { namespace: 'team', image });
      expect(existsSync(path)).toBe(false);
      expect(await taken?.find('mirror.test:5000', 'team/x')).toMatchObject({ credentials: { username: 'me' } });
      expect(await takeNamespacedAuth(directory, { namespace: 'team', image })).toBeUndefined();
    }
  });

  it('are looked for nowhere else', async () => {
    const path = leave('team', 'r.test/x', CONTENT);
    const nested = join(directory, 'a');
    mkdirSync(nested);
    const long = 'x'.repeat(300);
    for (const namespace of ['../team', '', '.', '..', '\0', long])
      expect(await takeNamespacedAuth(nested, { namespace, image: 'r.test/x' })).toBeUndefined();
    expect(await takeNamespacedAuth('', { namespace: 'team', image: 'r.test/x' })).toBeUndefined();
    expect(existsSync(path)).toBe(true);
  });

  it('that are malformed are named, and gone', async () => {
    const path = leave('team', 'r.test/x', 'secret');
    const error = await rejection(takeNamespacedAuth(directory, { namespace: 'team', image: 'r.test/x' }));
    expect(codeOf(error)).toBe('failed-precondition');
    expect(describeError(error)).toContain(path);
    expect(describeError(error)).not.toContain('secret');
    expect(readdirSync(directory)).toEqual([]);
  });
});
