import { join } from 'node:path';

import type { Logger } from '../base/log.js';
import { KeyedLock } from '../base/keyed-lock.js';
import { JoinableOperations, NameRegistry } from '../base/names.js';
import { UndoRetries } from '../base/undo.js';
import type { CniManager } from '../cni/manager.js';
import type { Config } from '../config/config.js';
import { detectCgroupDriver } from '../config/detect-cgroup-driver.js';
import type { ImageService } from '../image-service/image-service.js';
import { AppArmor } from '../oci/apparmor.js';
import { OwnCgroup } from '../oci/cgroup.js';
import { createSlots } from '../oci/create-slots.js';
import { HostFeatures } from '../oci/host-features.js';
import { Monitor, type ProcessPlace } from '../oci/monitor.js';
import { OwnScope } from '../oci/own-scope.js';
import { OciRuntime } from '../oci/runtime.js';
import { Runtimes } from '../oci/runtimes.js';
import { Selinux } from '../oci/selinux/selinux.js';
import { SeccompProfiles } from '../oci/seccomp-profiles.js';
import type { ContainerContext } from '../runtime-service/container/context.js';
import { ExitWatcher } from '../runtime-service/container/exits.js';
import { openContainerStore } from '../runtime-service/container/store.js';
import type { SandboxContext } from '../sandbox/context.js';
import { pauseProvider } from '../sandbox/pause-provider.js';
import { openSandboxStore } from '../sandbox/store.js';

/** What the operations on pods work with. */
export interface Pods {
  readonly sandboxes: SandboxContext;
  readonly containers: ContainerContext;
  readonly retries: UndoRetries;
}

interface Parts {
  readonly config: Config;
  readonly images: ImageService;
  readonly cni: CniManager;
  readonly logger: Logger;
}

/** Opens the stores and puts together what sandboxes and containers need. */
export async function openPods(parts: Parts): Promise<Pods> {
  const { config, images, cni, logger } = parts;
  const retries = new UndoRetries(logger);
  const shared = { runtimes: makeRuntimes(config), names: new NameRegistry(), locks: new KeyedLock(), retries, logger };
  const { seccompProfile, unsetSeccompProfile } = config.runtime;
  const seccomp = await SeccompProfiles.open({ file: seccompProfile, unset: unsetSeccompProfile });
  const selinux = await Selinux.open(logger, config.runtime.selinux);
  const sandboxes: SandboxContext = {
    ...{ ...shared, seccomp, selinux },
    store: await openSandboxStore(config.root, logger),
    networks: cni,
    pause: pauseProvider({ image: config.image.pauseImage, command: config.runtime.pauseCommand }, images),
    joins: new JoinableOperations(),
    settings: { stateDir: config.state, netnsDir: config.network.netnsDir, cgroupParent: config.runtime.cgroupParent },
  };
  const store = await openContainerStore(config.root, logger);
  const monitorCgroup = await monitorPlace(config);
  const containers: ContainerContext = {
    ...shared,
    store,
    sandboxes: sandboxes.store,
    images,
    confiners: { seccomp, selinux, apparmor: await AppArmor.open(logger) },
    monitor: new Monitor({ path: config.runtime.monitor, cgroup: monitorCgroup }),
    exits: new ExitWatcher({ store, runtimes: shared.runtimes, locks: shared.locks, stateDir: config.state, logger }),
    names: new NameRegistry(),
    joins: new JoinableOperations(),
    stateDir: config.state,
  };
  return { sandboxes, containers, retries };
}

function monitorPlace({ cgroupDriver, runtime: { monitorCgroup } }: Config): ProcessPlace | Promise<ProcessPlace> {
  if (detectCgroupDriver(cgroupDriver) === 'systemd') return new OwnScope(monitorCgroup);
  return OwnCgroup.make(monitorCgroup);
}

function makeRuntimes({ root, state, runtime, cgroupDriver }: Config): Runtimes {
  const common = { cgroupDriver: detectCgroupDriver(cgroupDriver), timeoutMs: runtime.timeout * 1000 };
  const byName = [...runtime.handlers].map(([handler, { path, root, podAnnotations, containerAnnotations }]) => {
    // Each its own, so that a handler that hangs does not hold up the others.
    const creates = createSlots(runtime.maxParallelCreates);
    const annotations = { pod: podAnnotations, container: containerAnnotations };
    return [handler, new OciRuntime({ ...common, creates, annotations, handler, path, root })] as const;
  });
  return new Runtimes({
    byName: new Map(byName),
    defaultName: runtime.defaultHandler,
    host: new HostFeatures(root),
    usualRoot: join(state, 'runtime'),
  });
}
