import type { Handlers } from '../../server/handlers.js';
import { attach } from './attach.js';
import { containerStats } from './container-stats.js';
import { containerStatus } from './container-status.js';
import type { RuntimeServiceContext } from './context.js';
import { createContainer } from './create-container.js';
import { exec } from './exec.js';
import { execSync } from './exec-sync.js';
import { getContainerEvents } from './get-container-events.js';
import { listContainerStats } from './list-container-stats.js';
import { listContainers } from './list-containers.js';
import { listPodSandbox } from './list-pod-sandbox.js';
import { listMetricDescriptors } from './list-metric-descriptors.js';
import { listPodSandboxMetrics } from './list-pod-sandbox-metrics.js';
import { listPodSandboxStats } from './list-pod-sandbox-stats.js';
import { podSandboxStats } from './pod-sandbox-stats.js';
import { podSandboxStatus } from './pod-sandbox-status.js';
import { portForward } from './port-forward.js';
import { reopenContainerLog } from './reopen-container-log.js';
import { removeContainer } from './remove-container.js';
import { removePodSandbox } from './remove-pod-sandbox.js';
import { runPodSandbox } from './run-pod-sandbox.js';
import { runtimeConfig } from './runtime-config.js';
import { startContainer } from './start-container.js';
import { status } from './status.js';
import { stopContainer } from './stop-container.js';
import { stopPodSandbox } from './stop-pod-sandbox.js';
import { streamContainerStats } from './stream-container-stats.js';
import { streamContainers } from './stream-containers.js';
import { streamPodSandboxMetrics } from './stream-pod-sandbox-metrics.js';
import { streamPodSandboxStats } from './stream-pod-sandbox-stats.js';
import { streamPodSandboxes } from './stream-pod-sandboxes.js';
import { updateContainerResources } from './update-container-resources.js';
import { updatePodSandboxResources } from './update-pod-sandbox-resources.js';
import { updateRuntimeConfig } from './update-runtime-config.js';
import { version } from './version.js';

/** The RPCs of the runtime service that are served; the others answer Unimplemented. */
export function createRuntimeHandlers(context: RuntimeServiceContext): Handlers {
  return {
    Version: version(context),
    Status: status(context),
    RuntimeConfig: runtimeConfig(context),
    UpdateRuntimeConfig: updateRuntimeConfig(),
    RunPodSandbox: runPodSandbox(context),
    StopPodSandbox: stopPodSandbox(context),
    RemovePodSandbox: removePodSandbox(context),
    PodSandboxStatus: podSandboxStatus(context),
    ListPodSandbox: listPodSandbox(context),
    StreamPodSandboxes: streamPodSandboxes(context),
    UpdatePodSandboxResources: updatePodSandboxResources(context),
    CreateContainer: createContainer(context),
    StartContainer: startContainer(context),
    StopContainer: stopContainer(context),
    RemoveContainer: removeContainer(context),
    ListContainers: listContainers(context),
    StreamContainers: streamContainers(context),
    ContainerStatus: containerStatus(context),
    UpdateContainerResources: updateContainerResources(context),
    ReopenContainerLog: reopenContainerLog(context),
    ExecSync: execSync(context),
    Exec: exec(context),
    Attach: attach(context),
    PortForward: portForward(context),
    ContainerStats: containerStats(context),
    ListContainerStats: listContainerStats(context),
    StreamContainerStats: streamContainerStats(context),
    PodSandboxStats: podSandboxStats(context),
    ListPodSandboxStats: listPodSandboxStats(context),
    StreamPodSandboxStats: streamPodSandboxStats(context),
    ListMetricDescriptors: listMetricDescriptors(),
    ListPodSandboxMetrics: listPodSandboxMetrics(context),
    StreamPodSandboxMetrics: streamPodSandboxMetrics(context),
    GetContainerEvents: getContainerEvents(context),
  };
}
