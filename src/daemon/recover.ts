import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { CniManager } from '../cni/manager.js';
import { recoverContainers } from '../runtime-service/container/recover.js';
import { endOrphans, releaseStrayContainers } from '../runtime-service/container/release-strays.js';
import { recoverSandboxes } from '../sandbox/recover.js';
import { releaseStraySandboxes } from '../sandbox/release-strays.js';
import type { Pods } from './pods.js';

/**
 * Puts right what the last run left. When this returns, all that lives is watched, all names and images have their
 * owners back, and what must not run beside a new pod is ended; so the daemon can serve, and images can be removed that
 * nobody uses. What may hang (networks, runtimes, mounts) is given back in the background, by `pods.retries`.
 */
export async function recover(parts: { pods: Pods; cni: CniManager; logger: Logger }): Promise<void> {
  const { pods } = parts;
  await recoverContainers(pods.containers);
  await releaseStrayContainers(pods.containers);
  await endOrphans(pods.containers);
  await recoverSandboxes(pods.sandboxes);
  await releaseStraySandboxes(pods.sandboxes);
  await detachUnknown(parts);
}

/** An attachment of a sandbox that nobody knows any more is a leaked address. */
async function detachUnknown({ pods, cni, logger }: { pods: Pods; cni: CniManager; logger: Logger }): Promise<void> {
  const recorded = await cni.records().catch((error: unknown) => {
    logger.error({ error: describeError(error) }, 'cannot look for attachments of sandboxes that are gone');
    return [];
  });
  for (const id of recorded.filter((one) => pods.sandboxes.store.get(one) === undefined)) {
    const detach = async (): Promise<void> => {
      await cni.tearDown(id, undefined);
      logger.info({ sandbox: id }, 'detached a sandbox that is gone');
    };
    pods.retries.begin([{ name: `network of ${id}`, run: detach }]);
  }
}
