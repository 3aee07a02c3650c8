import { endProcess, signalProcess } from '../../base/sys/process.js';
import { killCgroup } from '../../oci/cgroup.js';
import type { MonitoredProcesses } from '../../oci/monitor.js';
import type { ContainerProcesses, ContainerRecord } from './types.js';

/** Kills a container's init, and by its cgroup what else runs in a pid namespace that it shares. */
export async function killContainer(record: ContainerRecord, processes: ContainerProcesses): Promise<void> {
  signalProcess(processes.init, 'SIGKILL');
  if (record.config.security.pid !== 'container') await killCgroup(processes.cgroupDir);
}

/** Ends init and conmon of a container that is not on record, and waits for it. */
export async function endProcesses({ init, monitor }: MonitoredProcesses): Promise<void> {
  await endProcess(init);
  await endProcess(monitor);
}
