import type { ContainerContext } from '../container/context.js';
import type { EventHub } from '../events/event-hub.js';
import type { ServedFeatures } from '../../oci/served-features.js';
import type { SandboxContext } from '../../sandbox/context.js';
import type { StreamTarget } from '../streaming/types.js';
import type { StatsContext } from '../stats/context.js';

/** What the handlers of the runtime service call. */
export interface RuntimeServiceContext {
  readonly sandboxes: SandboxContext;
  readonly containers: ContainerContext;
  readonly node: NodeStatus;
  readonly events: EventHub;
  readonly stats: StatsContext;
  readonly streaming: StreamUrls;
}

/** Where streams are served. */
export interface StreamUrls {
  /** A URL that serves the target, once and within a minute. @throws resource-exhausted */
  urlFor(target: StreamTarget): Promise<string>;
}

/** What the daemon says of itself and of its node. */
export interface NodeStatus {
  /** The daemon's own version. */
  readonly version: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  /** The runtime handlers with what pods of them can have, the default one again under the empty name. */
  handlers(): Promise<readonly HandlerStatus[]>;
  /** Whether pods can be run at all. */
  runtime(): Promise<Condition>;
  /** Whether pods can have a network. */
  network(): Condition;
  /** JSON by name for a verbose status. */
  info(): Readonly<Record<string, unknown>>;
}

/** Half of CRI's Status: reason, one word, and message say why not. */
export interface Condition {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface HandlerStatus {
  readonly name: string;
  readonly served: ServedFeatures;
}
