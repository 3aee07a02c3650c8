import { describe, expect, it } from '@jest/globals';

import { internal, notFound } from '../base/errors.js';
import { rejection, thrown } from '../base/testing.js';
import { builtInPauseProvider, imagePauseProvider, type PauseImages } from './pause-provider.js';

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
  };
  return { service, calls };
}

describe('the built-in pause', () => {
  it('needs nothing but its program', async () => {
    const provider = builtInPauseProvider('/usr/bin/init');
    const program = await provider.prepare(sandbox);
    expect(program).toEqual({
      args: ['/pause', '-P'],
      env: [],
      mounts: [{ destination: '/pause', type: 'bind', source: '/usr/bin/init', options: ['bind', 'ro', 'rprivate'] }],
    });
    await provider.release(sandbox);
    provider.adopt('a');
  });
});

describe('pause from an image', () => {
  const MOUNT = 'mount sha256:1 for a at /state/a/rootfs over /root/a';

  it('is mounted, used, and given back', async () => {
    const { service, calls } = images({ present: true });
    const provider = imagePauseProvider('k8s/pause', service);
    expect(await provider.prepare(sandbox)).toEqual({ args: ['/pause', '-v'], env: ['A=b'], mounts: [] });
    provider.adopt('b');
    await provider.release(sandbox);
    expect(calls).toEqual([MOUNT, 'b uses sha256:1', 'unmount /state/a/rootfs of a']);
  });

  it('is pulled when it is not there', async () => {
    const { service, calls } = images({ present: false });
    await imagePauseProvider('k8s/pause', service).prepare(sandbox);
    expect(calls).toEqual(['pull k8s/pause', MOUNT]);
  });

  it('says what keeps it from being there', async () => {
    const { service, calls } = images({ present: false, pullable: false });
    const provider = imagePauseProvider('k8s/pause', service);
    expect((await rejection(provider.prepare(sandbox))).message).toBe('the registry is down');
    expect(calls).toEqual(['pull k8s/pause']);
    expect(thrown(() => provider.adopt('a'))).toMatchObject({ code: 'not-found' });
  });
});
