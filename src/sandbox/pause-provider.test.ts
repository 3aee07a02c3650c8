import { describe, expect, it } from '@jest/globals';

import { internal, notFound } from '../base/errors.js';
import { rejection } from '../base/testing.js';
import { pauseProvider, type PauseImages } from './pause-provider.js';

const sandbox = { id: 'a', rootfs: '/state/a/rootfs', dir: '/root/a' };

/** An image service that has its image after a pull, and writes down what it is asked. */
function images(options: { readonly present: boolean; readonly pullable?: boolean }) {
  const calls: string[] = [];
  let present = options.present;
  const service: PauseImages = {
    resolve: (image) => {
      if (!present) throw notFound(`image "${image}"`);
      return { id: 'sha256:1', config: { entrypoint: ['/pause'], cmd: ['-v'], env: ['A=b'] } };
    },
    pull: (image) => {
      calls.push(`pull ${image}`);
      if (options.pullable === false) return Promise.reject(internal('the registry is down'));
      present = true;
      return Promise.resolve();
    },
    mountRootfs: ({ imageId, owner, target, writable }) => {
      calls.push(`mount ${imageId} for ${owner} at ${target} over ${writable}`);
      return Promise.resolve();
    },
    unmountRootfs: ({ owner, target }) => {
      calls.push(`unmount ${target} of ${owner}`);
      return Promise.resolve();
    },
    adopt: (owner, imageId) => void calls.push(`${owner} uses ${imageId}`),
    adoptUnknown: (owner) => void calls.push(`${owner} uses an image`),
  };
  return { service, calls };
}

const builtIn = (service: PauseImages) => pauseProvider({ image: '', command: '/usr/bin/init' }, service);
const ofImage = (service: PauseImages) => pauseProvider({ image: 'k8s/pause', command: '' }, service);
const SOURCE = { kind: 'image', imageId: 'sha256:1' } as const;
const MOUNT = 'mount sha256:1 for a at /state/a/rootfs over /root/a';
const UNMOUNT = 'unmount /state/a/rootfs of a';

describe('the built-in pause', () => {
  it('needs nothing but its program', async () => {
    const { service, calls } = images({ present: false });
    const provider = builtIn(service);
    const source = await provider.choose();
    expect(source).toEqual({ kind: 'built-in' });
    expect(await provider.prepare(sandbox, source)).toEqual({
      args: ['/pause', '-P'],
      env: [],
      mounts: [{ destination: '/pause', type: 'bind', source: '/usr/bin/init', options: ['bind', 'ro', 'rprivate'] }],
    });
    provider.adopt('a', source);
    expect(calls).toEqual([]);
  });
});

describe('pause from an image', () => {
  it('is mounted, used, and given back', async () => {
    const { service, calls } = images({ present: true });
    const provider = ofImage(service);
    const source = await provider.choose();
    expect(source).toEqual(SOURCE);
    expect(await provider.prepare(sandbox, source)).toEqual({ args: ['/pause', '-v'], env: ['A=b'], mounts: [] });
    provider.adopt('b', source);
    await provider.release(sandbox);
    expect(calls).toEqual([MOUNT, 'b uses sha256:1', UNMOUNT]);
  });

  it('is pulled when it is not there', async () => {
    const { service, calls } = images({ present: false });
    expect(await ofImage(service).choose()).toEqual(SOURCE);
    expect(calls).toEqual(['pull k8s/pause']);
  });

  it('says what keeps it from being there', async () => {
    const { service, calls } = images({ present: false, pullable: false });
    expect((await rejection(ofImage(service).choose())).message).toBe('the registry is down');
    expect(calls).toEqual(['pull k8s/pause']);
  });
});

describe('what a sandbox’s pause was made of', () => {
  it('counts, and not what is configured by now', async () => {
    const { service, calls } = images({ present: true });
    const now = builtIn(service);
    now.adopt('a', SOURCE);
    expect(await now.prepare(sandbox, SOURCE)).toMatchObject({ args: ['/pause', '-v'] });
    await now.release(sandbox);
    expect(calls).toEqual(['a uses sha256:1', MOUNT, UNMOUNT]);
    expect(await ofImage(service).prepare(sandbox, { kind: 'built-in' })).toMatchObject({ args: ['/pause', '-P'] });
  });

  it('is an image that nobody knows, if that is all that there is to know', () => {
    const { service, calls } = images({ present: true });
    ofImage(service).adopt('a', undefined);
    expect(calls).toEqual(['a uses an image']);
  });
});
