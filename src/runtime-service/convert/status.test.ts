import { describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import type { Sandbox } from '../../sandbox/store.js';
import { podConfig } from '../../sandbox/testing.js';
import type { SandboxStatus } from '../../sandbox/types.js';
import type { Container } from '../container/store.js';
import { containerConfig } from '../container/testing.js';
import type { ContainerStatus } from '../container/types.js';
import { fromContainer, fromContainerStatus, isListed as isListedContainer } from './container-status.js';
import { fromSandbox, fromSandboxStatus, isListed } from './sandbox-status.js';
import { plain } from './testing.js';

const { ContainerState, NamespaceMode, PodSandboxState, Signal } = runtime.v1;
const CREATED = '1763730000123456789';

function sandbox(status: SandboxStatus): Sandbox {
  const namespaces = { network: 'node', pid: 'container', ipc: 'pod' } as const;
  const config = podConfig({ namespaces, labels: { a: 'b' }, annotations: { c: 'd' }, runtimeHandler: 'runc' });
  const record = { id: 'sid', config, requestDigest: '', createdAt: CREATED, handler: 'runc', cgroupParent: '/x' };
  return { record, status };
}

/** What a client reads from the wire. */
const overWire = (status: runtime.v1.IPodSandboxStatus): Record<string, unknown> =>
  plain(runtime.v1.PodSandboxStatus.decode(runtime.v1.PodSandboxStatus.encode(status).finish())) as Record<
    string,
    unknown
  >;
const containerOverWire = (status: runtime.v1.IContainerStatus): Record<string, unknown> =>
  plain(runtime.v1.ContainerStatus.decode(runtime.v1.ContainerStatus.encode(status).finish())) as Record<
    string,
    unknown
  >;

describe('a sandbox', () => {
  const pause = { pid: 7, startTime: '1' };

  it('is shown with its addresses while it is ready', () => {
    const status = overWire(
      fromSandboxStatus(sandbox({ state: 'ready', pause, ips: ['10.0.0.1', 'fd00::1', 'fd00::2'] })),
    );
    expect(status).toMatchObject({
      ...{ id: 'sid', createdAt: CREATED, labels: { a: 'b' }, annotations: { c: 'd' }, runtimeHandler: 'runc' },
      metadata: { name: 'web', namespace: 'shop' },
      network: { ip: '10.0.0.1', additionalIps: [{ ip: 'fd00::1' }, { ip: 'fd00::2' }] },
      linux: { namespaces: { options: { network: NamespaceMode.NODE, pid: NamespaceMode.CONTAINER } } },
    });
    expect(fromSandbox(sandbox({ state: 'ready', pause, ips: [] })).state).toBe(PodSandboxState.SANDBOX_READY);
  });

  it.each<[SandboxStatus, boolean, runtime.v1.PodSandboxState]>([
    [{ state: 'creating' }, false, PodSandboxState.SANDBOX_NOTREADY],
    [{ state: 'ready', pause, ips: [] }, true, PodSandboxState.SANDBOX_READY],
    [{ state: 'not-ready', released: false }, true, PodSandboxState.SANDBOX_NOTREADY],
    [{ state: 'removing' }, false, PodSandboxState.SANDBOX_NOTREADY],
  ])('that is %j: listed %p', (status, listed, state) => {
    expect(isListed(sandbox(status))).toBe(listed);
    expect(fromSandboxStatus(sandbox(status))).toMatchObject({ state, network: { ip: '', additionalIps: [] } });
  });
});

describe('a container', () => {
  const process = { pid: 7, startTime: '1' };
  const processes = { init: process, monitor: process, cgroupDir: '/x' };
  const mounts = [{ containerPath: '/d', hostPath: '/h', readonly: true, propagation: 'bidirectional' } as const];
  const container = (status: ContainerStatus, stopSignal = 'SIGTERM'): Container => ({
    record: {
      ...{ id: 'cid', name: 'n', sandboxId: 'sid', requestDigest: '', createdAt: CREATED, handler: 'runc', stopSignal },
      ...{
        imageId: 'sha256:1',
        imageRef: 'x@sha256:2',
        imageName: 'x:1',
        logPath: '/log',
        config: containerConfig({ mounts, userSpecifiedImage: 'x' }),
      },
    },
    status,
  });

  it.each<[ContainerStatus, boolean, runtime.v1.ContainerState, object]>([
    [{ state: 'creating' }, false, ContainerState.CONTAINER_UNKNOWN, {}],
    [{ state: 'unstartable', message: 'no such program' }, true, ContainerState.CONTAINER_CREATED, {}],
    [{ state: 'created', processes }, true, ContainerState.CONTAINER_CREATED, {}],
    [{ state: 'running', processes, startedAt: '5' }, true, ContainerState.CONTAINER_RUNNING, { startedAt: '5' }],
    [
      { state: 'exited', startedAt: '5', finishedAt: '6', exitCode: 137, reason: 'OOMKilled', message: 'm' },
      true,
      ContainerState.CONTAINER_EXITED,
      { startedAt: '5', finishedAt: '6', exitCode: 137, reason: 'OOMKilled', message: 'm' },
    ],
    [{ state: 'removing' }, false, ContainerState.CONTAINER_UNKNOWN, {}],
  ])('that is %j: listed %p', (status, listed, state, outcome) => {
    const own = container(status);
    expect(isListedContainer(own)).toBe(listed);
    expect(fromContainer(own)).toMatchObject({ id: 'cid', podSandboxId: 'sid', state, imageRef: 'x@sha256:2' });
    const { startedAt, finishedAt, exitCode, reason, message } = containerOverWire(fromContainerStatus(own));
    expect(
      Object.fromEntries(
        Object.entries({ startedAt, finishedAt, exitCode, reason, message }).filter(([, v]) => v !== undefined),
      ),
    ).toEqual(outcome);
  });

  it('is shown with what it was made of', () => {
    const status = fromContainerStatus(container({ state: 'running', processes, startedAt: '5' }, 'SIGRTMINPLUS3'));
    expect(status).toMatchObject({ logPath: '/log', imageId: 'sha256:1', stopSignal: Signal.SIGRTMINPLUS3 });
    expect(status.image).toEqual({ image: 'x:1', userSpecifiedImage: 'x' });
    expect(status.mounts).toEqual([
      { ...mounts[0], propagation: runtime.v1.MountPropagation.PROPAGATION_BIDIRECTIONAL },
    ]);
  });

  it('is shown with the limits that are in force', () => {
    const resources = { ...NO_LIMITS, memoryLimit: 2 ** 40, hugepageLimits: [{ pageSize: '2MB', limit: 3 }] };
    const status = containerOverWire(fromContainerStatus(container({ state: 'created', processes, resources })));
    expect(status['resources']).toMatchObject({
      linux: { memoryLimitInBytes: `${2 ** 40}`, hugepageLimits: [{ pageSize: '2MB', limit: '3' }] },
    });
  });
});
