import { describe, expect, it } from '@jest/globals';

import { parseReference } from '../registry/reference.js';
import { matchesIdentity, type SignedIdentity } from './identity.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const remapped: SignedIdentity = { type: 'remapIdentity', prefix: 'mirror.test/vendor', signedPrefix: 'vendor.test' };
const exactReference: SignedIdentity = { type: 'exactReference', name: 'docker.io/library/x:v1' };
const exactRepository: SignedIdentity = { type: 'exactRepository', name: 'docker.io/library/x' };

describe('matchesIdentity', () => {
  it.each<[SignedIdentity | SignedIdentity['type'], string, string, boolean]>([
    ['matchRepoDigestOrExact', 'r.test/x:v1', 'r.test/x:v1', true],
    ['matchRepoDigestOrExact', 'r.test/x:v1', 'r.test/x:v2', false],
    ['matchRepoDigestOrExact', 'r.test/x:v1', 'r.test/x', false],
    ['matchRepoDigestOrExact', 'r.test/x', 'r.test/x', false],
    ['matchRepoDigestOrExact', 'r.test/x', 'r.test/x:latest', true],
    ['matchRepoDigestOrExact', `r.test/x@${DIGEST}`, 'r.test/x', false],
    ['matchRepoDigestOrExact', `r.test/x@${DIGEST}`, 'r.test/x:v7', true],
    ['matchRepoDigestOrExact', `r.test/x@${DIGEST}`, 'r.test/y', false],
    ['matchRepoDigestOrExact', 'x:v1', 'docker.io/library/x:v1', true],
    ['matchExact', `r.test/x@${DIGEST}`, 'r.test/x', false],
    ['matchExact', `r.test/x@${DIGEST}`, `r.test/x@${DIGEST}`, true],
    ['matchExact', 'r.test/x:v1', 'r.test/x:v1', true],
    ['matchRepository', 'r.test/x:v1', 'r.test/x', true],
    ['matchRepository', 'r.test/x:v1', 'r.test/x:v2', true],
    ['matchRepository', 'r.test/x:v1', 'r.test/xx', false],
    ['matchRepository', 'r.test/x:v1', 'R?', false],
    [exactReference, 'r.test/any', 'x:v1', true],
    [exactReference, 'r.test/any', 'x', false],
    [exactRepository, 'r.test/any', 'x:v3', true],
    [exactRepository, 'r.test/any', 'y', false],
    [remapped, 'mirror.test/vendor/x:v1', 'vendor.test/x:v1', true],
    [remapped, 'mirror.test/vendor/x:v1', 'mirror.test/vendor/x:v1', false],
    [remapped, 'mirror.test/vendors/x:v1', 'mirror.test/vendors/x:v1', true],
    [remapped, `mirror.test/vendor/x@${DIGEST}`, 'vendor.test/x:v2', true],
    [remapped, `mirror.test/vendor/x@${DIGEST}`, 'vendor.test/x', false],
  ])('%p: asked for %s, signed for %s: %p', (identity, wanted, signed, expected) => {
    const whole = typeof identity === 'string' ? ({ type: identity } as SignedIdentity) : identity;
    expect(matchesIdentity(whole, parseReference(wanted), signed)).toBe(expected);
  });
});
