import { isIP } from 'node:net';

import { invalidArgument } from '../base/errors.js';
import { isObject, type JsonObject } from './json.js';
import type { PluginConfig } from './network-config.js';
import type { PodNetworkRequest, PortMapping } from './pod-request.js';

/**
 * The capability arguments of a pod, by the names and shapes of CNI's CONVENTIONS.md. A capability that the pod
 * does not use is undefined and is left out.
 */
const CAPABILITIES: Readonly<Record<string, (pod: PodNetworkRequest) => unknown>> = {
  portMappings: (pod) => nonEmpty(pod.portMappings.filter(({ hostPort }) => hostPort !== 0).map(toPortMapping)),
  bandwidth: (pod) => pod.bandwidth,
  dns: (pod) => pod.dns,
  ipRanges: (pod) => nonEmpty(pod.ipRanges),
  ips: (pod) => nonEmpty(pod.ips),
  mac: (pod) => pod.mac,
  aliases: (pod) => nonEmpty(pod.aliases),
  cgroupPath: (pod) => pod.cgroupPath,
  // Not of CNI's conventions, but of containerd's and CRI-O's users.
  'io.kubernetes.cri.pod-annotations': (pod) => nonEmptyMap(pod.annotations),
};

/**
 * All capability arguments that a pod's request stands for.
 * @throws invalid-argument naming the port mapping that cannot be.
 */
export function capabilityArgs(pod: PodNetworkRequest): JsonObject {
  const entries = Object.entries(CAPABILITIES).map(([name, value]) => [name, value(pod)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** The part of the arguments that a plugin declares with `"capabilities": {"name": true}`, or undefined if none. */
export function runtimeConfigFor(plugin: PluginConfig, args: JsonObject): JsonObject | undefined {
  const declared = plugin['capabilities'];
  if (!isObject(declared)) return undefined;
  const entries = Object.entries(args).filter(([name]) => declared[name] === true);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function toPortMapping(mapping: PortMapping): JsonObject {
  const { protocol, containerPort, hostPort, hostIp } = mapping;
  const what = `port mapping ${protocol} ${hostPort}:${containerPort}`;
  if (!isPort(hostPort)) throw invalidArgument(`${what}: the host port is not between 1 and 65535`);
  if (!isPort(containerPort)) throw invalidArgument(`${what}: the container port is not between 1 and 65535`);
  if (hostIp !== '' && isIP(hostIp) === 0)
    throw invalidArgument(`${what}: host ip ${JSON.stringify(hostIp)} is no address`);
  return { hostPort, containerPort, protocol, ...(hostIp === '' ? {} : { hostIP: hostIp }) };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function nonEmptyMap(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}
