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
  adoptUnknown(owner: string): void;
}

interface PauseImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
}

export interface PauseOptions {
  /** The image's reference; empty for the built-in pause, which needs nothing pulled and nothing mounted. */
  readonly image: string;
  /** The built-in pause's program. */
  readonly command: string;
}

/** Pause as it is configured for new sandboxes, and as their records have it for those that are there. */
export function pauseProvider({ image, command }: PauseOptions, images: PauseImages): PauseProvider {
  return {
    async choose() {
      if (image === '') return { kind: 'built-in' };
      return { kind: 'image', imageId: (await resolveOrPull(image, images)).id };
    },
    async prepare({ id, rootfs, dir, userns, label }, source) {
      if (source.kind === 'built-in') return builtInPause(command);
      const { imageId } = source;
      const { config } = images.resolve(imageId);
      await images.mountRootfs({ imageId, owner: id, target: rootfs, writable: dir, userns, label });
      return { args: [...config.entrypoint, ...config.cmd], env: config.env, mounts: [] };
    },
    release: ({ id, rootfs }) => images.unmountRootfs({ owner: id, target: rootfs }),
    adopt(id, source) {
      if (source === undefined) images.adoptUnknown(id);
      else if (source.kind === 'image') images.adopt(id, source.imageId);
    },
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
