import { describe, expect, it } from '@jest/globals';

import { hasCode } from '../../base/errors.js';
import { chainIds, digestOf, isDigest } from './digest.js';
import { formatReference, parseReference } from './reference.js';

const D = `sha256:${'a'.repeat(64)}`;

const caught = (fn: () => unknown): unknown => {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('parseReference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.29', 'docker.io/library/busybox:1.29'],
    ['user/app', 'docker.io/user/app:latest'],
    ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['docker.io/user/app:v1', 'docker.io/user/app:v1'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app:latest'],
    ['[::1]:5000/app:t', '[::1]:5000/app:t'],
    ['[2001:DB8:0::1]/app:t', '[2001:DB8:0::1]/app:t'],
    ['R.test:443/app:t', 'R.test:443/app:t'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`quay.io/a/b@${D}`, `quay.io/a/b@${D}`],
    [`quay.io/a/b:v1@${D}`, `quay.io/a/b@${D}`],
    [`busybox@${D}`, `docker.io/library/busybox@${D}`],
    ['a__b/c-d--e:T_1.2-3', 'docker.io/a__b/c-d--e:T_1.2-3'],
  ])('%s is %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full);
  });

  it('keeps tag and digest when both are given', () => {
    expect(parseReference(`quay.io/a:v1@${D}`)).toEqual({ registry: 'quay.io', repository: 'a', tag: 'v1', digest: D });
  });

  it('reads its own output again', () => {
    for (const text of ['busybox', 'localhost:5000/x', `quay.io/a/b@${D}`]) {
      const full = formatReference(parseReference(text));
      expect(formatReference(parseReference(full))).toBe(full);
    }
  });

  it.each(
    [
      '',
      ':tag',
      'UPPER',
      'a//b',
      '/a',
      'a/',
      'a:',
      'a:-x',
      'a@sha256:12',
      'a@md5:00',
      `a@${D}@${D}`,
      'a b',
      'quay.io/../x',
      'a..b',
      'a___b',
      'a:b:c',
      '-a.io/x',
      'quay.io',
      'a/'.repeat(150) + 'a',
      'a'.repeat(64),
      `x:${'t'.repeat(129)}`,
      'https://quay.io/x',
      'a\n',
      'r.test:65536/x',
      '[1:2:3:4:5:6:7:8:9]/x',
      '1.2.3.999/x',
      'a.1/x',
      '127.1/x',
      '0x7f.0.0.1:5000/x',
      '5000:5000/x',
    ].filter((text) => text !== 'quay.io'),
  )('refuses %j and names it', (text) => {
    const error = caught(() => parseReference(text));
    expect(hasCode(error, 'invalid-argument')).toBe(true);
    expect((error as Error).message).toContain(JSON.stringify(text));
  });
});

describe('digests', () => {
  it('knows what a digest is', () => {
    expect(isDigest(D)).toBe(true);
    expect(isDigest(`sha512:${'0'.repeat(128)}`)).toBe(true);
    expect(
      ['', 'sha256', 'sha256:', D.toUpperCase(), `${D}0`, `${D}:`, `constructor:${'a'.repeat(64)}`].filter(isDigest),
    ).toEqual([]);
  });

  it('chains layers as the image-spec says', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(text));
    const ab = digestOf(`${a} ${b}`);
    expect(chainIds([a ?? '', b ?? '', c ?? ''])).toEqual([a, ab, digestOf(`${ab} ${c}`)]);
    expect(chainIds([])).toEqual([]);
  });
});
