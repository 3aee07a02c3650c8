import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runtime } from '../../api/cri/generated/api.cjs';
import type { House } from './house.js';

export const BUSYBOX = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';

/** Holds a container until it is stopped, and ends at once then. */
export const IDLE = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'] as const;

/** A pod's configuration on disk, as crictl reads it, with what was read. */
export interface PodFile {
  readonly path: string;
  readonly name: string;
  readonly logDirectory: string;
}

/** Writes the configuration of a pod of its own; `fields` are CRI's PodSandboxConfig in JSON, over the defaults. */
export async function writePod(house: House, fields: object = {}): Promise<PodFile> {
  const uid = randomUUID();
  const name = `pod-${uid.slice(0, 8)}`;
  const logDirectory = join(house.scratch.logs, `e2e_${name}_${uid}`);
  await mkdir(logDirectory);
  const config = {
    metadata: { name, uid, namespace: 'e2e', attempt: 0 },
    ...(isOnNode(fields) ? {} : { hostname: name }),
    log_directory: logDirectory,
    linux: {},
    ...fields,
  };
  return { path: await writeJson(house, name, config), name, logDirectory };
}

interface NetworkOf {
  readonly linux?: { readonly security_context?: { readonly namespace_options?: { readonly network?: number } } };
}

/** Such a pod has the node's name, and may not ask for another. */
function isOnNode({ linux }: NetworkOf): boolean {
  return linux?.security_context?.namespace_options?.network === runtime.v1.NamespaceMode.NODE;
}

/** Writes a container's configuration (CRI ContainerConfig); it idles in busybox unless `fields` say otherwise. */
export async function writeContainer(house: House, fields: object = {}): Promise<string> {
  const name = `c-${randomUUID().slice(0, 8)}`;
  const config = {
    metadata: { name, attempt: 0 },
    image: { image: BUSYBOX },
    command: IDLE,
    log_path: `${name}.log`,
    linux: {},
    ...fields,
  };
  return writeJson(house, name, config);
}

/** Runs a pod and returns its id. */
export async function runPod(house: House, pod: PodFile): Promise<string> {
  return house.crictl.ok('runp', pod.path);
}

/** Creates and starts a container in a pod and returns its id. */
export async function runContainer(house: House, podId: string, files: RunFiles): Promise<string> {
  const id = await house.crictl.ok('create', podId, files.container, files.pod.path);
  await house.crictl.ok('start', id);
  return id;
}

/** Creates a container that cannot be started, finds that it says so as kubelet's users know it, removes it, and returns what was said. */
export async function startRefusal(house: House, podId: string, files: RunFiles): Promise<string> {
  const id = await house.crictl.ok('create', podId, files.container, files.pod.path);
  const { code, stderr } = await house.crictl.run('start', id);
  const { status } = await inspect(house, id);
  const { state, exitCode, reason } = status;
  if (code === 0 || state !== 'CONTAINER_EXITED' || exitCode !== 128 || reason !== 'StartError')
    throw new RangeError(`start of ${id} ended with ${code}; it is ${JSON.stringify(status)}: ${stderr}`);
  await house.crictl.ok('rm', id);
  return stderr;
}

/** A pod of its own with one container that idles. */
export async function runWorkload(house: House): Promise<{ readonly podId: string; readonly id: string }> {
  const pod = await writePod(house);
  const podId = await runPod(house, pod);
  return { podId, id: await runContainer(house, podId, { pod, container: await writeContainer(house) }) };
}

export interface RunFiles {
  readonly pod: PodFile;
  readonly container: string;
}

/** The part of `crictl inspect` that the tests look at. */
export interface ContainerView {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly exitCode: number;
    readonly reason: string;
    readonly createdAt: string;
    readonly startedAt: string;
    readonly finishedAt: string;
    readonly image: { readonly image: string };
    readonly imageId: string;
    readonly imageRef: string;
    readonly logPath: string;
  };
  readonly info: { readonly pid?: number };
}

export async function inspect(house: House, id: string): Promise<ContainerView> {
  return (await house.crictl.json('inspect', id)) as ContainerView;
}

/** The part of `crictl inspectp` that the tests look at. */
export interface PodView {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string };
    readonly network: { readonly ip: string };
  };
}

export async function inspectPod(house: House, id: string): Promise<PodView> {
  return (await house.crictl.json('inspectp', id)) as PodView;
}

async function writeJson({ scratch }: House, name: string, value: object): Promise<string> {
  const path = join(scratch.dir, `${name}.json`);
  await writeFile(path, JSON.stringify(value));
  return path;
}
