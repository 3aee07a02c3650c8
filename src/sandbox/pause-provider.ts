import { hasCode } from '../base/errors.js';
import type { UserNamespace } from '../base/id-mapping.js';
import type { PauseProvider } from './context.js';
import { builtInPause } from './pause.js';

/** What an image's pause container needs of the image service. */
export interface PauseImages {
  resolve(image: string): { readonly id: string; readonly config: PauseImageConfig };
  pull(image: string): Promise<unknown>;
  mountRootfs(options: {
    imageId: string;
    owner: string;
    target: string;
    writable: string;
    userns?: UserNamespace | undefined;
    label?: string | undefined;
  }): Promise<void>;
  unmountRootfs(options: { owner: string; target: string }): Promise<void>;
  adopt(owner: string, imageId: string): void;
}

interface PauseImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
}

/** The built-in pause: nothing to pull, nothing to mount. */
export function builtInPauseProvider(command: string): PauseProvider {
  return {
    prepare: () => Promise.resolve(builtInPause(command)),
    release: () => Promise.resolve(),
    adopt: () => undefined,
  };
}

/** Pause from an image, pulled when the first pod needs it. */
export function imagePauseProvider(reference: string, images: PauseImages): PauseProvider {
  return {
    async prepare({ id, rootfs, dir, userns, label }) {
      const { id: imageId, config } = await resolveOrPull(reference, images);
      await images.mountRootfs({ imageId, owner: id, target: rootfs, writable: dir, userns, label });
      return { args: [...config.entrypoint, ...config.cmd], env: config.env, mounts: [] };
    },
    release: ({ id, rootfs }) => images.unmountRootfs({ owner: id, target: rootfs }),
    adopt: (id) => images.adopt(id, images.resolve(reference).id),
  };
}

async function resolveOrPull(reference: string, images: PauseImages) {
  try {
    return images.resolve(reference);
  } catch (error) {
    if (!hasCode(error, 'not-found')) throw error;
    await images.pull(reference);
    return images.resolve(reference);
  }
}
