import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { CniManager } from '../cni/manager.js';
import { recoverContainers } from '../runtime-service/container/recover.js';
import { endOrphans, releaseStrayContainers } from '../runtime-service/container/release-strays.js';
import { recoverSandboxes } from '../sandbox/recover.js';
import { releaseStraySandboxes } from '../sandbox/release-strays.js';
import type { Pods } from './pods.js';

/** Puts right what the last run left: containers first, since a sandbox is removed only after them. */
export async function recover({ pods, cni, logger }: { pods: Pods; cni: CniManager; logger: Logger }): Promise<void> {
  await recoverContainers(pods.containers);
  await releaseStrayContainers(pods.containers);
  await endOrphans(pods.containers);
  await recoverSandboxes(pods.sandboxes);
  await releaseStraySandboxes(pods.sandboxes);
  await detachUnknown(pods, cni, logger);
}

/** An attachment of a sandbox that nobody knows any more is a leaked address. */
async function detachUnknown({ sandboxes, retries }: Pods, cni: CniManager, logger: Logger): Promise<void> {
  const known = await cni.records();
  for (const id of known.filter((recorded) => sandboxes.store.get(recorded) === undefined)) {
    const detach = (): Promise<void> => cni.tearDown(id, undefined);
    try {
      await detach();
      logger.info({ sandbox: id }, 'detached a sandbox that is gone');
    } catch (error) {
      logger.warn({ sandbox: id, error: describeError(error) }, 'cannot detach a sandbox that is gone');
      retries.add([{ name: `network of ${id}`, run: detach }]);
    }
  }
}
