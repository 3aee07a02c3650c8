import { existsSync, readFileSync } from 'node:fs';

import { run } from '../../src/base/spawn.js';

/** Specs of critest that skip themselves where a host or a runtime is not fit for them. */
export interface Unfit {
  /** What they say then. */
  readonly says: string;
  readonly specs: readonly string[];
}

/** The kernel has no AppArmor, or it is not switched on. */
const NO_APPARMOR: Unfit = {
  says: 'AppArmor is disabled on this host',
  specs: [
    'AppArmor runtime should support deprecated apparmor_profile field should fail with an unloaded apparmor_profile',
    'AppArmor runtime should support deprecated apparmor_profile field should enforce a apparmor_profile blocking writes',
    'AppArmor runtime should support deprecated apparmor_profile field should enforce a permissive deprecated profile',
    'AppArmor runtime should support apparmor field should fail with an unloaded apparmor_profile',
    'AppArmor runtime should support apparmor field should enforce a apparmor_profile blocking writes',
    'AppArmor runtime should support apparmor field should enforce a permissive deprecated profile',
    'AppArmor runtime should prefer new apparmor field should fail with an unloaded apparmor_profile',
    'AppArmor runtime should prefer new apparmor field should enforce a apparmor_profile blocking writes',
    'AppArmor runtime should prefer new apparmor field should work with apparmor profile',
  ],
};

const USER_NAMESPACES = 'Security Context UserNamespaces when Host idmap mount support is';

/** The runtime cannot map mounts of user namespaces: runc before 1.2, crun before 1.9. */
export const NO_USER_NAMESPACES: Unfit = {
  says: 'no runtime handler found which supports user namespaces',
  specs: [
    `${USER_NAMESPACES} needed runtime should support NamespaceMode_POD`,
    `${USER_NAMESPACES} not needed runtime should support NamespaceMode_NODE`,
    `${USER_NAMESPACES} not needed runtime should fail if more than one mapping provided`,
    `${USER_NAMESPACES} not needed runtime should fail if container ID 0 is not mapped`,
    `${USER_NAMESPACES} not needed runtime should fail with NamespaceMode_CONTAINER`,
    `${USER_NAMESPACES} not needed runtime should fail with NamespaceMode_TARGET`,
  ],
};

const READONLY = 'Container Mount Readonly runtime should support readonly mounts should';

/** The runtime does not tell that it has them: crun before 1.9 has no `features` command. */
const NO_RECURSIVE_READONLY: Unfit = {
  says: 'runtime does not implement recursive readonly mounts',
  specs: [
    `${READONLY} support recursive readonly mounts`,
    `${READONLY} reject a recursive readonly mount with PROPAGATION_HOST_TO_CONTAINER`,
    `${READONLY} reject a recursive readonly mount with PROPAGATION_BIDIRECTIONAL`,
    `${READONLY} reject a recursive readonly mount with ReadOnly: false`,
  ],
};

/** Plug-ins of the node resource interface are not served yet: critest is given no socket for them. */
export const NO_NRI: Unfit = {
  says: 'NRI socket not configured (use -nri-socket flag)',
  specs: [
    'NRI CreateContainer contract should fail CreateContainer when the NRI hook errors, leak nothing, and allow retry',
    'NRI CreateContainer contract should not expose container while CreateContainer hook is in progress',
    'NRI RunPodSandbox contract should fail RunPodSandbox and clean up when the NRI hook errors, then allow retry',
    'NRI RunPodSandbox contract should not expose sandbox while RunPodSandbox hook is in progress',
    'NRI RunPodSandbox contract should not start workload containers until RunPodSandbox hook completes',
    'NRI StopPodSandbox contract should handle StopPodSandbox idempotently and never reuse sandbox',
    'NRI StopPodSandbox contract should stop all workload containers and keep sandbox accessible while StopPodSandbox hook is in progress',
    'NRI container lifecycle (failed container) should receive CreateContainer, StartContainer, StopContainer, and RemoveContainer for a container that exits with a non-zero code',
    'NRI container lifecycle should receive CreateContainer, StartContainer, StopContainer, and RemoveContainer in strict order with correct metadata',
    'NRI plugin synchronization should receive a callback for container created during the Synchronize call',
    'NRI plugin synchronization should receive information about all containers without the race condition during initialization',
    'NRI plugin synchronization should synchronize a newly connected plugin with existing pods and containers',
    'NRI pod sandbox lifecycle should receive RunPodSandbox, StopPodSandbox, and RemovePodSandbox in strict order with correct metadata',
  ],
};

/** As with containerd: an image's mount is read-only whether `readonly` is set or not, which users of crictl leave out. */
export const READ_ONLY_ANYWAY: Unfit = {
  says: 'Runtime accepted Image Volume with Readonly=false; rejection is not yet enforced.',
  specs: ['Image Volume [Feature:ImageVolume] should reject Image Volume with Readonly set to false'],
};

/** What this host's kernel is not fit for. */
export function unfitForHost(): readonly Unfit[] {
  return hasAppArmor() ? [] : [NO_APPARMOR];
}

/** What an OCI runtime is not fit for that says nothing of what it can do. */
export async function unfitForRuntime(path: string): Promise<readonly Unfit[]> {
  const { exitCode } = await run(path, ['features'], { timeoutMs: 60_000 });
  return exitCode === 0 ? [] : [NO_USER_NAMESPACES, NO_RECURSIVE_READONLY];
}

function hasAppArmor(): boolean {
  const file = '/sys/module/apparmor/parameters/enabled';
  return existsSync(file) && readFileSync(file, 'utf8').trim() === 'Y';
}
