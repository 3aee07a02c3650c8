import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { CgroupHost } from './read-cgroup.js';

/** The files of a container's cgroup on v2 (Linux 6.1, pressure on), as the kernel wrote them. */
export const V2_CGROUP: Readonly<Record<string, string>> = {
  'cgroup.procs': '4021\n4077\n',
  'cpu.stat': `usage_usec 2500417
user_usec 1500301
system_usec 1000116
core_sched.force_idle_usec 0
nr_periods 120
nr_throttled 30
throttled_usec 4500000
nr_bursts 0
burst_usec 0
`,
  'cpu.pressure': `some avg10=12.50 avg60=3.25 avg300=0.75 total=5200300
full avg10=1.50 avg60=0.50 avg300=0.10 total=900200
`,
  'memory.current': '52428800\n',
  'memory.stat': `anon 10485760
file 40960000
kernel 983040
kernel_stack 65536
pagetables 196608
sock 0
shmem 4096
file_mapped 2097152
file_dirty 0
file_writeback 0
swapcached 0
inactive_anon 10489856
active_anon 0
inactive_file 31457280
active_file 9498624
unevictable 0
pgfault 15400
pgmajfault 12
`,
  'memory.max': '104857600\n',
  'memory.peak': '73400320\n',
  'memory.events': 'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n',
  'memory.pressure':
    'some avg10=0.00 avg60=0.00 avg300=0.00 total=150\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=140\n',
  'memory.swap.current': '1048576\n',
  'memory.swap.max': '5242880\n',
  'io.stat': `8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021
`,
  'io.pressure': 'some avg10=0.12 avg60=0.34 avg300=0.56 total=789\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=700\n',
  'pids.current': '5\n',
  'pids.max': '100\n',
};

/** The same container on a hybrid host with v1 controllers (Linux 6.18), by hierarchy. */
export const V1_CGROUP: Readonly<Record<string, string>> = {
  'pids/cgroup.procs': '4021\n4077\n',
  'pids/pids.current': '5\n',
  'pids/pids.max': 'max\n',
  'cpuacct/cpuacct.usage': '2500417123\n',
  'cpuacct/cpuacct.usage_user': '1500301000\n',
  'cpuacct/cpuacct.usage_sys': '1000116123\n',
  'cpu/cpu.stat': 'nr_periods 120\nnr_throttled 30\nthrottled_time 4500000000\nnr_bursts 0\nburst_time 0\n',
  'unified/cpu.pressure':
    'some avg10=12.50 avg60=3.25 avg300=0.75 total=5200300\nfull avg10=1.50 avg60=0.50 avg300=0.10 total=900200\n',
  'memory/memory.usage_in_bytes': '52428800\n',
  'memory/memory.stat': `cache 4096
rss 8192
mapped_file 0
swap 0
pgfault 100
pgmajfault 1
inactive_file 0
hierarchical_memory_limit 104857600
hierarchical_memsw_limit 110100480
total_cache 40960000
total_rss 10485760
total_rss_huge 0
total_shmem 4096
total_mapped_file 2097152
total_swap 1048576
total_pgfault 15400
total_pgmajfault 12
total_inactive_file 31457280
total_active_file 9498624
`,
  'memory/memory.limit_in_bytes': '104857600\n',
  'memory/memory.max_usage_in_bytes': '73400320\n',
  'memory/memory.failcnt': '7\n',
  'memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
  'memory/memory.memsw.limit_in_bytes': '110100480\n',
  'blkio/blkio.throttle.io_service_bytes_recursive': `8:0 Read 90430464
8:0 Write 299008000
8:0 Sync 389438464
8:0 Async 0
8:0 Discard 0
8:0 Total 389438464
Total 389438464
`,
  'blkio/blkio.throttle.io_serviced_recursive': '8:0 Read 8950\n8:0 Write 1252\n8:0 Total 10202\nTotal 10202\n',
};

/** Writes a cgroup's files below a directory that stands for `/sys/fs/cgroup`. */
export async function writeCgroup(
  { mount, version }: CgroupHost,
  path: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const [hierarchy = '', file = ''] = version === 2 ? ['', name] : name.split('/');
    const target = join(mount, hierarchy, path, file);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}
