import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import { addProcessMetrics } from './process-metrics.js';

/** What a call of CRI came to. */
export interface FinishedCall {
  readonly rpc: string;
  /** Absent for one that succeeded. */
  readonly code?: string | undefined;
  readonly seconds: number;
  /** It ends when its client leaves, so how long it took says nothing. */
  readonly streams: boolean;
}

/** What a caller's wish for an image came to, also of one that was here already. */
export interface FinishedPull {
  /** Absent for one that succeeded. */
  readonly code?: string | undefined;
  readonly seconds: number;
}

/** What is read when somebody asks; nothing here may take long. */
export interface MetricSources {
  readonly version: string;
  /** Objects by kind and state. */
  readonly sandboxes: () => Iterable<string>;
  readonly containers: () => Iterable<string>;
  readonly images: () => ImageNumbers | Promise<ImageNumbers>;
  readonly registryTroubles: () => Iterable<{ readonly server: string; readonly forSeconds: number }>;
}

export interface ImageNumbers {
  readonly count: number;
  readonly bytes: number;
  readonly inodes: number;
  /** Of the file system that they are on. */
  readonly capacityBytes: number;
  readonly availableBytes: number;
}

/** Seconds. kubelet's own limits are in the range of minutes. */
const CALL_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120];
const PULL_BUCKETS = [0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800];

const IMAGE_GAUGES = [
  ['count', 'gantry_images', 'Images in the store.'],
  ['bytes', 'gantry_image_store_bytes', 'Bytes on disk of all unpacked layers.'],
  ['inodes', 'gantry_image_store_inodes', 'Inodes of all unpacked layers.'],
  ['capacityBytes', 'gantry_image_filesystem_capacity_bytes', 'Size of the file system that images are on.'],
  ['availableBytes', 'gantry_image_filesystem_available_bytes', 'What is free on the file system that images are on.'],
] as const;

/** The daemon's metrics, in Prometheus' text format. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly #calls = new Histogram({
    name: 'gantry_rpc_duration_seconds',
    help: 'How long calls of CRI took that have one answer, by RPC.',
    labelNames: ['rpc'],
    buckets: CALL_BUCKETS,
    registers: this.#registers,
  });
  readonly #failures = new Counter({
    name: 'gantry_rpc_failures_total',
    help: 'Calls of CRI that failed, by RPC and error code.',
    labelNames: ['rpc', 'code'],
    registers: this.#registers,
  });
  readonly #pulls = new Histogram({
    name: 'gantry_image_pull_duration_seconds',
    help: 'How long image pulls took that succeeded, those of images that were here already included.',
    buckets: PULL_BUCKETS,
    registers: this.#registers,
  });
  readonly #failedPulls = new Counter({
    name: 'gantry_image_pull_failures_total',
    help: 'Image pulls that failed, by error code.',
    labelNames: ['code'],
    registers: this.#registers,
  });
  readonly #pulledBytes = new Counter({
    name: 'gantry_image_pull_bytes_total',
    help: 'Bytes of layers and configurations that registries sent.',
    registers: this.#registers,
  });

  readonly #imageGauges = IMAGE_GAUGES.map(([key, name, help]) => ({
    key,
    gauge: new Gauge({ name, help, registers: this.#registers }),
  }));
  readonly #images: MetricSources['images'];

  constructor(sources: MetricSources) {
    this.#images = sources.images;
    addProcessMetrics(this.#registers);
    this.#addSources(sources);
  }

  onCall({ rpc, code, seconds, streams }: FinishedCall): void {
    if (!streams) this.#calls.observe({ rpc }, seconds);
    if (code !== undefined) this.#failures.inc({ rpc, code });
  }

  onPull({ code, seconds }: FinishedPull): void {
    if (code === undefined) this.#pulls.observe(seconds);
    else this.#failedPulls.inc({ code });
  }

  onBytes(count: number): void {
    this.#pulledBytes.inc(count);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const numbers = await this.#images();
    for (const { key, gauge } of this.#imageGauges) gauge.set(numbers[key]);
    return this.#registry.metrics();
  }

  #addSources({ version, sandboxes, containers, registryTroubles }: MetricSources): void {
    const registers = this.#registers;
    new Gauge({ name: 'gantry_build_info', help: 'Always 1.', labelNames: ['version'], registers }).set({ version }, 1);
    this.#addCounts({ name: 'gantry_sandboxes', help: 'Sandboxes, by state.', states: sandboxes });
    this.#addCounts({ name: 'gantry_containers', help: 'Containers, by state.', states: containers });
    new Gauge({
      name: 'gantry_registry_server_trouble_seconds',
      help: 'Seconds for which a registry server that failed is still asked last.',
      labelNames: ['server'],
      registers,
      collect() {
        this.reset();
        for (const { server, forSeconds } of registryTroubles()) this.set({ server }, forSeconds);
      },
    });
  }

  #addCounts({ name, help, states }: { name: string; help: string; states: () => Iterable<string> }): void {
    new Gauge({
      ...{ name, help, labelNames: ['state'], registers: this.#registers },
      collect() {
        this.reset();
        for (const state of states()) this.inc({ state });
      },
    });
  }
}
