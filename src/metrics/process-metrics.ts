import { readdir } from 'node:fs/promises';

import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * The process metrics that every Prometheus client has, under their usual names. The library's own set watches the event loop
 * by a timer that keeps an idle processor awake, so it is not used.
 */
export function addProcessMetrics(registers: Registry[]): void {
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of the daemon, user and system.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the daemon was started, in seconds since the epoch.',
    registers,
  }).set(Math.round(performance.timeOrigin / 1000));
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the daemon.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_open_fds',
    help: 'Open file descriptors of the daemon.',
    registers,
    async collect() {
      this.set((await readdir('/proc/self/fd')).length);
    },
  });
  const loop = performance.eventLoopUtilization();
  new Gauge({
    name: 'nodejs_event_loop_utilization',
    help: 'The part of its time since the start that the event loop was busy, from 0 to 1.',
    registers,
    collect() {
      this.set(performance.eventLoopUtilization(loop).utilization);
    },
  });
}
