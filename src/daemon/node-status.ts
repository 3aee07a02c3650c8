import type { UndoRetries } from '../base/undo.js';
import type { CniManager } from '../cni/manager.js';
import type { Config } from '../config/config.js';
import { detectCgroupDriver } from '../config/detect-cgroup-driver.js';
import type { ImageService } from '../image-service/image-service.js';
import { isCgroupV2 } from '../oci/cgroup.js';
import { ownCapabilities } from '../oci/spec/capabilities.js';
import type { Runtimes } from '../oci/runtimes.js';
import type { Confiners } from '../runtime-service/container/confine.js';
import type { HandlerStatus, NodeStatus } from '../runtime-service/handlers/context.js';
import { readVersion } from '../base/version.js';
import { runtimeCondition } from './runtime-condition.js';

/** What Status says: conditions, and with verbose the configuration, the network and what this host lacks. */
export function nodeStatus(parts: {
  config: Config;
  cni: CniManager;
  retries: UndoRetries;
  images: Pick<ImageService, 'serversInTrouble'>;
  runtimes: Runtimes;
  confiners: Confiners;
}): NodeStatus {
  const { config, cni, retries, runtimes, confiners, images } = parts;
  const cgroupDriver = detectCgroupDriver(config.cgroupDriver);
  return {
    version: readVersion(),
    cgroupDriver,
    handlers: () => handlerStatus(runtimes),
    runtime: () => runtimeCondition(config),
    network: () => cni.status(),
    info: () => ({
      config: { ...config, runtime: { ...config.runtime, handlers: Object.fromEntries(config.runtime.handlers) } },
      cni: cni.status(),
      host: {
        cgroupVersion: isCgroupV2() ? 2 : 1,
        cgroupDriver,
        capSysResource: ownCapabilities().has('CAP_SYS_RESOURCE'),
        seccomp: confiners.seccomp.describe(),
        apparmor: confiners.apparmor.describe(),
        selinux: confiners.selinux.describe(),
      },
      undoWaiting: retries.waiting,
      registriesInTrouble: images.serversInTrouble(),
    }),
  };
}

/** "" stands for the default handler, see CRI RuntimeHandler.name. */
function handlerStatus(runtimes: Runtimes): Promise<HandlerStatus[]> {
  const status = async (name: string): Promise<HandlerStatus> => ({
    name,
    served: await runtimes.served(name),
  });
  return Promise.all(['', ...runtimes.names].map(status));
}
