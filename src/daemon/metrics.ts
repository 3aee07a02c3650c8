import { descriptorShares } from '../base/descriptor-shares.js';
import type { Logger } from '../base/log.js';
import { readVersion } from '../base/version.js';
import type { Config } from '../config/config.js';
import type { ImageService } from '../image-service/image-service.js';
import type { FinishedCall, FinishedPull, ImageNumbers, Metrics } from '../metrics/metrics.js';
import type { Pods } from './pods.js';
import { isLoopback } from './streaming.js';

/** What is counted from the start, and where it is told. */
export interface MetricsEndpoint {
  onCall(call: FinishedCall): void;
  onPull(pull: FinishedPull): void;
  onBytes(count: number): void;
  /** Begins to serve. @throws unavailable if it cannot listen */
  start(parts: { readonly pods: Pods; readonly images: ImageService }): Promise<void>;
  stop(): Promise<void>;
}

/** The endpoint of `metrics.port`, if one is wanted; the library is loaded only then. */
export async function openMetrics(
  { metrics: { address, port } }: Config,
  logger: Logger,
): Promise<MetricsEndpoint | undefined> {
  if (port === 0) return undefined;
  const [{ Metrics }, { MetricsServer }] = await Promise.all([
    import('../metrics/metrics.js'),
    import('../metrics/server.js'),
  ]);
  let sources: { readonly pods: Pods; readonly images: ImageService } | undefined;
  const states = (kind: 'sandboxes' | 'containers') => (): string[] =>
    sources?.pods[kind].store.list().map(({ status }) => status.state) ?? [];
  const metrics: Metrics = new Metrics({
    version: readVersion(),
    sandboxes: states('sandboxes'),
    containers: states('containers'),
    images: () => numbersOf(sources?.images),
    registryTroubles: () => sources?.images.serversInTrouble() ?? [],
  });
  let server: { stop(): Promise<void> } | undefined;
  return {
    onCall: (call) => metrics.onCall(call),
    onPull: (pull) => metrics.onPull(pull),
    onBytes: (count) => metrics.onBytes(count),
    async start(parts) {
      sources = parts;
      const { metricsConnections: maxConnections } = descriptorShares();
      server = await MetricsServer.start({ address, port, metrics, maxConnections, logger });
      if (!isLoopback(address)) logger.warn({ address }, 'metrics are served beyond this node');
    },
    async stop() {
      await server?.stop();
    },
  };
}

async function numbersOf(images: ImageService | undefined): Promise<ImageNumbers> {
  if (images === undefined) return { count: 0, bytes: 0, inodes: 0, capacityBytes: 0, availableBytes: 0 };
  const { bytes, inodes } = images.usage();
  return { count: images.list().length, bytes, inodes, ...(await images.capacity()) };
}
