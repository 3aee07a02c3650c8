import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { pushAll } from '../../e2e/images/push.js';
import { buildImages } from '../../e2e/images/build-images.js';
import { makeCrictl, TOOLS, type Crictl } from '../../e2e/harness/crictl.js';
import { Daemon } from '../../e2e/harness/daemon.js';
import { MIRRORED, mirrorTree } from '../../e2e/harness/mirror-tree.js';
import { startRegistry, type Registry } from '../../e2e/harness/registry.js';
import { makeScratch, type Scratch } from '../../e2e/harness/scratch.js';
import { startService, stopService } from '../../e2e/harness/service.js';
import { waitFor } from '../../e2e/harness/wait.js';
import { runOk } from '../../src/base/spawn.js';
import { benchImages } from './images.js';

export type EngineName = 'gantry' | 'containerd';

/** A CRI server on directories that nothing was ever in. */
export interface Engine {
  readonly scratch: Scratch;
  readonly crictl: Crictl;
  readonly pid: number;
  /** gantryd alone. */
  readonly daemon?: Daemon;
  readonly close: () => Promise<void>;
}

/** What the runs share. */
export interface Bench {
  readonly registry: Registry;
  /**
   * Directories of servers that ended. They are deleted after all runs: on ext4, unpacking right after a big tree was deleted takes several
   * times as long, whoever deleted it.
   */
  readonly used: Scratch[];
}

/** A registry on loopback with the images of the benchmark and those of the end-to-end tests. */
export async function openRegistry(scratch: Scratch): Promise<Registry> {
  const registry = await startRegistry(`${scratch.dir}/registry`);
  await pushAll(registry.address, [...(await benchImages()), ...(await buildImages())]);
  return registry;
}

export async function openEngine(name: EngineName, { registry, used }: Bench): Promise<Engine> {
  const scratch = await makeScratch();
  used.push(scratch);
  // Nobody is to write to the disk what another left.
  await runOk('sync', [], { timeoutMs: 120_000 });
  await mirrorTree(scratch.hosts, registry.address, ['bench.test', ...MIRRORED]);
  const crictl = await makeCrictl(scratch);
  return name === 'gantry' ? openGantry(scratch, crictl) : openContainerd(scratch, crictl);
}

async function openGantry(scratch: Scratch, crictl: Crictl): Promise<Engine> {
  const daemon = new Daemon(scratch, crictl);
  await daemon.start();
  const close = async (): Promise<void> => {
    await daemon.stop();
  };
  return { scratch, crictl, pid: daemon.pid, daemon, close };
}

/** containerd with the overlayfs snapshotter and three downloads at once, as usual. */
async function openContainerd(scratch: Scratch, crictl: Crictl): Promise<Engine> {
  const config = join(scratch.dir, 'containerd.toml');
  const [root, state] = [join(scratch.root, 'containerd'), join(scratch.state, 'containerd')];
  await Promise.all([root, state, scratch.cniConf].map((path) => mkdir(path, { recursive: true })));
  await writeFile(
    config,
    `version = 3
root = '${root}'
state = '${state}'
[grpc]
  address = '${scratch.socket}'
[ttrpc]
  address = '${scratch.state}/ttrpc.sock'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  max_concurrent_downloads = 3
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = '${scratch.hosts}'
[plugins.'io.containerd.cri.v1.runtime'.cni]
  conf_dir = '${scratch.cniConf}'
`,
  );
  const service = await startService(
    join(TOOLS, 'containerd'),
    ['--config', config],
    join(scratch.dir, 'containerd.log'),
  );
  await waitFor('answer of containerd', 30_000, () => crictl.ok('images', '-q'));
  const close = async (): Promise<void> => {
    await stopService(service);
  };
  return { scratch, crictl, pid: service.pid, close };
}
