/** Tests of containerd's suite that are never run: they are about containerd, not about what CRI says. */
export const OF_CONTAINERD: Readonly<Record<string, readonly string[]>> = {
  'starts a containerd of its own': [
    'TestCRIImagePullTimeout',
    'TestContainerCgroupWritable',
    'TestIssue10244LoopbackV2',
    'TestIssue10467',
    'TestOOMEventMonitor',
    'TestReload100Pods',
    'TestRunContainerWithVolatileOption',
    'TestRuntimeHandlerUnpackWithSnapshotLabels',
    'TestUpgrade',
  ],
  'ends containerd by name': [
    'TestContainerdRestart',
    'TestContainerdRestartSandboxRecover',
    'TestSandboxStopWithNilCNIResult',
    'TestUpdatePodSandboxWithRestart',
  ],
  'asks services of containerd’s own': [
    'TestContainerdImage',
    'TestContainerdImageInOtherNamespaces',
    'TestContainerdSandboxImage',
    'TestContainerdSandboxImagePulledOutsideCRI',
    'TestImageVolumeReusableAfterFailure',
    'TestImageVolumeSetupIfContainerdRestarts',
    'TestUpdateContainerResources_MemoryLimit',
    'TestUpdateContainerResources_MemorySwap',
  ],
  'looks into directories or the configuration of containerd': [
    'TestImageVolumeCheckVolatileOption',
    'TestSandboxRemoveWithoutIPLeakage',
  ],
  'looks into containerd’s shims': [
    'TestContainerIOLeakAfterStartFailed',
    'TestContainerTTYLeakAfterExit',
    'TestFailFastWhenConnectShim',
    'TestIssue7496',
    'TestIssue7496_ShouldRetryShutdown',
    'TestKillShimPreservesExitStatusForMultipleContainers',
    'TestKillShimPublishesTaskExitAndDeleteEvents',
    'TestKillShimPublishesTaskExitAndDeleteEventsForContainer',
    'TestShutdownShimWhenPauseExitsBeforeWorkload',
  ],
  'wants a shim and a network plug-in of containerd’s own that fail when they are told to': [
    'TestPodSandboxController_ShouldBackoffExitEventWhenFail',
    'TestRunPodSandboxAndTeardownCNISlow',
    'TestRunPodSandboxWithSetupCNIFailure',
    'TestRunPodSandboxWithShimDeleteFailure',
    'TestRunPodSandboxWithShimStartAndTeardownCNIFailure',
    'TestRunPodSandboxWithShimStartFailure',
  ],
  'wants plug-ins of the node resource interface, which are not served yet': [
    'TestNriAnnotationInjection',
    'TestNriEnvironmentInjection',
    'TestNriLinuxCpusetAdjustment',
    'TestNriLinuxCpusetAdjustmentUpdate',
    'TestNriLinuxDeviceInjection',
    'TestNriLinuxMemsetAdjustment',
    'TestNriLinuxMemsetAdjustmentUpdate',
    'TestNriMountInjection',
    'TestNriPluginContainerdRestart',
    'TestNriPluginNetworkingLifecycle',
    'TestNriPluginNetworkingSynchronization',
    'TestNriPluginSetup',
    'TestNriPluginSynchronization',
    'TestNriUpdatePodSandbox',
  ],
  'wants Docker and ctr': ['TestImageLoad'],
};

/** Why a test or subtest that is run does not pass. */
export interface Unfit {
  readonly why: string;
  /** What it says then. */
  readonly says: string;
}

const PARTS = 'output without newline is logged at once, as P (docs/differences.md)';
const WORDS = 'refused as it should be, in other words';
const OTHER_SERVICE = 'asks services of containerd’s own';

const VOLUME = 'TestImageVolumeBasic';
const HOSTNAME = 'TestPodHostname';

/** Those that are run and do not pass, wherever. One that passes is a failure, too. */
const UNFIT: Readonly<Record<string, Unfit>> = {
  TestContainerDrainExecIOAfterExit: {
    why: 'a command has ended when its own process has (docs/differences.md)',
    says: 'container_exec_test.go:67',
  },
  TestContainerStopCancellation: {
    why: 'a stop is not taken back when its client gives up (docs/differences.md)',
    says: 'container_stop_test.go:116',
  },
  TestDuplicateName: {
    why: 'the same request again has the same answer (docs/differences.md)',
    says: 'duplicate_name_test.go:32',
  },
  TestLongContainerLog: {
    why: 'takes the length of lines from containerd’s configuration; conmon’s is another (docs/differences.md)',
    says: 'panic: strings: negative Repeat count',
  },
  TestTruncIndex: {
    why: 'ContainerStats knows containers that have ended (docs/differences.md)',
    says: 'truncindex_test.go:150',
  },
  [`${HOSTNAME}/regular_pod_with_custom_hostname`]: { why: PARTS, says: 'stdout P /etc/hostname=' },
  [`${HOSTNAME}/host_network_pod_without_custom_hostname`]: { why: PARTS, says: 'stdout P /etc/hostname=' },
  'TestContainerSysfsStatsWithPrivilegedPod/sandbox_with_privileged=false,_and_container_with_privileged=true,_create_container_failed':
    { why: WORDS, says: 'takes no privileged containers' },
  [`${VOLUME}/fail_to_mount_single_file_subpath`]: { why: WORDS, says: 'has no directory \\"pause\\"' },
  [`${VOLUME}/fail_to_mount_non-existent_subpath`]: { why: WORDS, says: 'has no directory \\"non-existent-subpath\\"' },
  [`${VOLUME}/fail_to_mount_absolute_subpath`]: { why: WORDS, says: 'is no path below an image: \\"/etc\\"' },
  [`${VOLUME}/fail_to_mount_escaped_subpath`]: { why: WORDS, says: 'is no path below an image: \\"etc/../../..\\"' },
  [`${VOLUME}/fail_to_mount_a_symlink_file_that_escapes_subpath`]: {
    why: WORDS,
    says: 'has no directory \\"bin/sh\\"',
  },
  [`${VOLUME}/should_be_readonly_content`]: { why: OTHER_SERVICE, says: 'unknown service containerd.services' },
  [`${VOLUME}/should_only_mount_image_subpath`]: { why: OTHER_SERVICE, says: 'unknown service containerd.services' },
};

/** All of them on a host of this kind. */
export function unfitOn(host: {
  readonly cgroupV2: boolean;
  readonly selinux: boolean;
}): Readonly<Record<string, Unfit>> {
  const labels = host.selinux
    ? { why: OTHER_SERVICE, says: 'unknown service containerd.services' }
    : { why: 'the host has no SELinux', says: 'SELinux is not enabled' };
  return {
    ...UNFIT,
    [`${VOLUME}/should_apply_selinux_labels_-_s0:c4,c5`]: labels,
    [`${VOLUME}/should_apply_selinux_labels_-_s0:c200,c100`]: labels,
    ...(host.cgroupV2
      ? {}
      : { TestPrivilegedContainerCgroupMountOptions: { why: 'the host has cgroup v1', says: 'Requires cgroup v2' } }),
  };
}
