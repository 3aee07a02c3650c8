import { describe, expect, it } from '@jest/globals';

import { namesOfImage } from './image-names.js';
import type { ImageRecord } from './types.js';

const ID = `sha256:${'1'.repeat(64)}`;
const DIGEST = `sha256:${'2'.repeat(64)}`;

function names(asked: string | string[], tags: string[], digests: string[]) {
  const image = { id: ID, repoTags: tags, repoDigests: digests } as unknown as ImageRecord;
  return namesOfImage(image, { imageId: ID, names: [asked].flat() });
}

describe('namesOfImage', () => {
  const tags = ['a.test/x:1', 'b.test/y:2'];
  const digests = [`a.test/x@${DIGEST}`, `b.test/y@${DIGEST}`];

  it.each([
    ['b.test/y:2', 'b.test/y:2', digests[1]],
    [ID, 'a.test/x:1', digests[0]],
    ['1111', 'a.test/x:1', digests[0]],
    [`b.test/y@${DIGEST}`, digests[1], digests[1]],
    // A tag that moved on is still what the pod says.
    ['b.test/y:3', 'b.test/y:3', digests[1]],
    ['busybox', 'docker.io/library/busybox:latest', digests[0]],
  ])('of an image that was asked for as %s', (asked, name, digested) => {
    expect(names(asked, tags, digests)).toEqual({ name, digested });
  });

  it('of a short name are the place where it was found', () => {
    expect(names(['a.test/y:2', 'b.test/y:2'], tags, digests).name).toBe('b.test/y:2');
  });

  it('of an image without names are its id', () => {
    expect(names(ID, [], [])).toEqual({ name: ID, digested: ID });
    expect(namesOfImage(undefined, { imageId: ID, names: [ID] })).toEqual({ name: ID, digested: ID });
    expect(names(ID, [], digests).name).toBe(digests[0]);
  });
});
