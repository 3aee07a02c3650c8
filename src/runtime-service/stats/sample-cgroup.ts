import { nowNs } from '../../base/clock.js';
import { Semaphore } from '../../base/semaphore.js';
import { present } from './present.js';
import { readCgroup, type CgroupHost } from './read-cgroup.js';
import { RecentMap } from './recent-map.js';
import { less } from './parse-values.js';
import type { CgroupSample, CgroupUse } from './types.js';

/** A reading that is younger serves again: shorter, a rate would be noise, and callers at once would read twice. */
const MIN_AGE_NS = 100_000_000n;
/** The rate of a cgroup that nobody asked for so long starts anew. */
const FORGET_MS = 600_000;
/** Cgroups read at once: each is some 15 small files, and others need libuv's threads too. */
const AT_ONCE = 4;

interface Reading {
  readonly askedNs: bigint;
  readonly sample: Promise<CgroupSample>;
}

/** The CPU time of the last reading that is done. */
interface CpuPoint {
  readonly atNs: bigint;
  readonly usageNs: bigint;
}

/**
 * Reads cgroups and tells the rate of CPU time since the reading before. Nothing is read that nobody asked for: a rate
 * covers the time between two calls.
 */
export class CgroupSampler {
  readonly #host: CgroupHost;
  readonly #turns = new Semaphore(AT_ONCE);
  readonly #readings = new RecentMap<Reading>(FORGET_MS);
  readonly #points = new RecentMap<CpuPoint>(FORGET_MS);

  constructor(host: CgroupHost) {
    this.#host = host;
  }

  get host(): CgroupHost {
    return this.#host;
  }

  /** @param path below the hierarchies, see `cgroupPathOf`. */
  sample(path: string): Promise<CgroupSample> {
    const askedNs = process.hrtime.bigint();
    const last = this.#readings.get(path);
    if (last !== undefined && askedNs - last.askedNs < MIN_AGE_NS) return last.sample;
    const sample = this.#turns.run(() => this.#read(path));
    this.#readings.set(path, { askedNs, sample });
    return sample;
  }

  async #read(path: string): Promise<CgroupSample> {
    const use = await readCgroup(this.#host, path);
    return { ...use, timestamp: nowNs(), ...present({ nanoCores: this.#rate(path, use) }) };
  }

  #rate(path: string, { cpu }: CgroupUse): bigint | undefined {
    if (cpu === undefined) return undefined;
    const atNs = process.hrtime.bigint();
    const before = this.#points.get(path);
    this.#points.set(path, { atNs, usageNs: cpu.usageNs });
    if (before === undefined || atNs <= before.atNs) return undefined;
    return (less(cpu.usageNs, before.usageNs) * 1_000_000_000n) / (atNs - before.atNs);
  }
}
