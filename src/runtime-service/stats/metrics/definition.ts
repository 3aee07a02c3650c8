import type { ContainerResources } from '../../../oci/spec/resources.js';
import type { ContainerUse } from '../container-use.js';
import type { HugePageUse } from '../huge-pages.js';
import type { OpenFiles } from '../open-files.js';
import type { PodUse } from '../pod-use.js';
import type { CgroupSample } from '../types.js';

/** What the metrics of a container are made of. */
export interface ContainerMeasure {
  readonly use: ContainerUse;
  readonly cgroup: CgroupSample;
  readonly cgroupPath: string;
  readonly resources: ContainerResources;
  /** `/dev/sda` by `8:0` */
  readonly devices: ReadonlyMap<string, string>;
  readonly disk: DiskMeasure;
  /** Absent once its processes have ended. */
  readonly files?: OpenFiles;
  readonly hugePages: readonly HugePageUse[];
}

/** The file system that writable layers are on. */
export interface DiskMeasure {
  readonly device: string;
  readonly bytes: bigint;
  readonly inodes: bigint;
  readonly inodesFree: bigint;
}

/** One value; CRI has whole numbers only, so seconds are cut. Undefined where it is not known: no metric then. */
export interface MetricValue {
  readonly value: bigint | undefined;
  /** Of the definition's own label keys. */
  readonly labels?: readonly string[];
}

/** A metric as cAdvisor names it, which is what kubelet's users look for. */
export interface Metric<Subject> {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** Beside {@link BASE_LABELS}. */
  readonly labelKeys: readonly string[];
  readonly values: (subject: Subject) => readonly MetricValue[];
}

export type ContainerMetric = Metric<ContainerMeasure>;
export type PodMetric = Metric<PodUse>;

/** Which container of which pod, for every metric. */
export const BASE_LABELS = ['container', 'id', 'image', 'name', 'namespace', 'pod'] as const;

type Value<Subject> = (subject: Subject) => bigint | undefined;

/** A metric with one value and no labels of its own. */
function single(type: 'counter' | 'gauge') {
  return (name: string, help: string, value: Value<ContainerMeasure>): ContainerMetric => ({
    name,
    help,
    type,
    labelKeys: [],
    values: (subject) => [{ value: value(subject) }],
  });
}

export const counter = single('counter');
export const gauge = single('gauge');

export function seconds(nanoseconds: bigint | string | undefined): bigint | undefined {
  return nanoseconds === undefined ? undefined : BigInt(nanoseconds) / 1_000_000_000n;
}
