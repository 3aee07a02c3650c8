import { describe, expect, it } from '@jest/globals';

import { silentLogger } from '../base/log.js';
import { Pinned } from './pinned.js';

const has = (text: string, ...repoTags: string[]): boolean =>
  new Pinned([text], silentLogger()).has({ repoTags, repoDigests: [] });

describe('Pinned', () => {
  it('knows an image by its whole name, however it was written', () => {
    expect(has('busybox', 'docker.io/library/busybox:latest')).toBe(true);
    expect(has('busybox', 'docker.io/library/busybox:v2')).toBe(false);
    expect(has('r.test/x:v1', 'other.test/y:v1', 'r.test/x:v1')).toBe(true);
  });

  it.each([
    ['r.test/base/*', 'r.test/base/a:v1', true],
    ['r.test/base/*', 'r.test/based/a:v1', false],
    ['r.test/base/*', 'evil.test/r.test/base/a:v1', false],
    ['*pause*', 'registry.k8s.io/pause:3.10', true],
    ['*/pause:*', 'registry.k8s.io/pause:3.10', true],
    ['*/pause:*', 'registry.k8s.io/pauses:3.10', false],
    ['r.test/x:v*', 'rxtest/x:v1', false],
    ['**', 'r.test/x:v1', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(has(pattern, name)).toBe(expected);
  });

  it('knows digests, and passes over what is no reference', () => {
    const pinned = new Pinned(['-bad-', 'r.test/x@*'], silentLogger());
    expect(pinned.has({ repoTags: [], repoDigests: ['r.test/x@sha256:00'] })).toBe(true);
    expect(pinned.has({ repoTags: ['r.test/x:v1'], repoDigests: [] })).toBe(false);
  });
});
