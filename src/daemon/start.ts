import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { settlesWithin } from '../base/abort.js';
import { descriptorShares } from '../base/descriptor-shares.js';
import { alreadyExists, describeError } from '../base/errors.js';
import { ensureDirectory, ensurePublicDirectory, removeTree } from '../base/files.js';
import type { Logger } from '../base/log.js';
import { tryLockSync } from '../base/sys/calls.js';
import { startThreads } from '../base/sys/sys.js';
import { CniManager } from '../cni/manager.js';
import type { Config } from '../config/config.js';
import { ImageService } from '../image-service/image-service.js';
import { createImageHandlers } from '../image-service/handlers/index.js';
import { EventHub } from '../runtime-service/events/event-hub.js';
import { createRuntimeHandlers } from '../runtime-service/handlers/index.js';
import { openStats } from '../runtime-service/stats/open-stats.js';
import { startServer } from '../server/server.js';
import { adminHandlers, adminStreams } from './admin.js';
import { closeDirectories } from './close-directories.js';
import { openMetrics, type MetricsEndpoint } from './metrics.js';
import { nodeStatus } from './node-status.js';
import { openPods } from './pods.js';
import { recover } from './recover.js';
import { startStreaming } from './streaming.js';

export interface Daemon {
  /** Drains the calls under way and lets go of everything; containers go on. */
  stop(): Promise<void>;
}

/** How long calls under way may take when the daemon is told to stop. */
const DRAIN_MS = 20_000;

/** How long what is given back in the background may take then: the next start does what is left. */
const UNDO_MS = 1_000;

/**
 * Opens the state, answers Version at once and the rest when everything is recovered.
 * @throws already-exists if another daemon has the state or the socket.
 */
export async function startDaemon(config: Config, logger: Logger): Promise<Daemon> {
  await claimState(config);
  const metrics = await openMetrics(config, logger);
  const [images, cni] = await Promise.all([openImages(config, logger, metrics), openCni(config, logger)]);
  const pods = await openPods({ config, images, cni, logger });
  await closeDirectories(config, pods);
  const stores = { sandboxes: pods.sandboxes.store, containers: pods.containers.store };
  const events = new EventHub(stores);
  const stats = openStats({ ...stores, layersDir: join(config.root, 'containers'), logger });
  const streaming = await startStreaming(config, pods, logger);
  const context = {
    ...pods,
    events,
    stats,
    streaming,
    node: nodeStatus({
      ...{ config, cni, images, retries: pods.retries },
      ...{ runtimes: pods.sandboxes.runtimes, confiners: pods.containers.confiners },
    }),
  };
  const handlers = {
    ...createRuntimeHandlers(context),
    ...createImageHandlers(images, {
      runtimeHandlers: [...config.runtime.handlers.keys()],
      writableLayers: join(config.root, 'containers'),
    }),
  };
  const server = await startServer({
    listen: config.listen,
    handlers,
    admin: adminHandlers(images),
    adminStreams: adminStreams(images),
    observe: metrics === undefined ? undefined : (call) => metrics.onCall(call),
    maxConnections: descriptorShares().grpcConnections,
    logger,
  });
  await metrics?.start({ pods, images });
  await recover({ pods, cni, logger });
  await images.settle([...stores.sandboxes.list(), ...stores.containers.list()].map(({ record }) => record.id));
  server.setReady();
  void tidyImages(images, logger);
  logger.info({ socket: server.address, version: context.node.version }, 'gantryd is ready');
  void startThreads().catch((error: unknown) => logger.warn({ error: describeError(error) }, 'no system call threads'));
  void images.warmUp().catch((error: unknown) => logger.warn({ error: describeError(error) }, 'no unpacking thread'));
  return {
    async stop() {
      await Promise.all([server.drain(DRAIN_MS), streaming.stop()]);
      await metrics?.stop();
      await Promise.all([pods.sandboxes.joins.idle(), pods.containers.joins.idle()]);
      pods.retries.stop();
      await settlesWithin(pods.retries.idle(), UNDO_MS);
      cni.close();
      await images.close();
    },
  };
}

/** All users of images are known by now. To remove what nobody uses takes its time, and nobody waits for it. */
async function tidyImages(images: ImageService, logger: Logger): Promise<void> {
  await images
    .sweep()
    .catch((error: unknown) => logger.warn({ error: describeError(error) }, 'cannot remove images that nobody uses'));
  images.checkAfterCrash();
}

/** Two daemons on one state would undo each other's work. */
async function claimState({ root, state }: Config): Promise<void> {
  for (const path of [root, state]) await ensurePublicDirectory(dirname(path));
  await ensureDirectory(root);
  // Others may pass through to the socket.
  await ensureDirectory(state, 0o711);
  const lock = join(root, 'lock');
  // To open a pipe would be to wait for its other end.
  if ((await lstat(lock).catch(() => undefined))?.isFile() === false) await removeTree(lock);
  if (!tryLockSync(lock)) throw alreadyExists(`another gantryd uses ${root}`);
}

function openImages({ root, image }: Config, logger: Logger, observe?: MetricsEndpoint): Promise<ImageService> {
  return ImageService.open({
    root,
    observe,
    hostsDirs: image.hostsDirs,
    certsDirs: image.certsDirs,
    ...(image.registriesConf === '' ? {} : { registriesConf: image.registriesConf }),
    ...(image.signaturePolicy === '' ? {} : { signaturePolicy: image.signaturePolicy }),
    ...(image.registriesD === '' ? {} : { registriesD: image.registriesD }),
    authFiles: [...authFileOf(process.env), ...image.authFiles],
    namespacedAuthDir: image.namespacedAuthDir,
    maxParallelLayers: image.maxParallelLayers,
    stallTimeoutMs: image.stallTimeout * 1000,
    minRate: image.minRate,
    limits: { maxBytes: image.maxLayerSize * 2 ** 20, maxEntries: image.maxLayerEntries },
    pinned: [...image.pinned, ...(image.pauseImage === '' ? [] : [image.pauseImage])],
    logger,
  });
}

/** Where containers' tools are told to look (containers-auth.json(5)). */
function authFileOf({ REGISTRY_AUTH_FILE: path = '' }: NodeJS.ProcessEnv): string[] {
  return path.startsWith('/') ? [path] : [];
}

function openCni({ root, network }: Config, logger: Logger): Promise<CniManager> {
  return CniManager.open({
    confDir: network.confDir,
    binDirs: network.binDirs,
    recordDir: join(root, 'cni'),
    timeoutMs: network.timeout * 1000,
    logger,
  });
}
