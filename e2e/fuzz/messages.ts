import { join } from 'node:path';

import protobuf from 'protobufjs';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import * as values from './values.js';
import type { World } from './values.js';

/** A message as protobufjs takes it. */
export type Message = Record<string, unknown>;

export const PROTOCOL = protobuf.loadSync(join(PROJECT_ROOT, 'api', 'cri', 'api.proto')).resolveAll();

export function typeOf(name: string): protobuf.Type {
  return PROTOCOL.lookupType(`runtime.v1.${name}`);
}

type Maker = (world: World) => unknown;

const hostPaths: Maker = (world) => values.hostPath(world);
const never: Maker = () => false;
const some =
  (...choices: readonly [unknown, ...unknown[]]): Maker =>
  (world) =>
    world.random.chance(0.15) ? values.oddText(world) : world.random.pick(choices);

/**
 * What fields hold that could do harm on this machine, or that must be right for the rest of a request to be looked at: by the field's name, or the
 * message's and the field's. All others hold anything that their type allows.
 */
const MAKERS: Readonly<Record<string, Maker>> = {
  podSandboxId: (world) => values.id(world.pods, world),
  containerId: (world) => values.id(world.containers, world),
  targetId: (world) => values.id(world.containers, world),
  hostPath: hostPaths,
  location: hostPaths,
  localhostRef: hostPaths,
  logDirectory: hostPaths,
  seccompProfilePath: some('', 'runtime/default', 'unconfined', 'localhost/none'),
  apparmorProfile: some('', 'runtime/default', 'unconfined', 'localhost/none'),
  logPath: some('a.log', 'b/c.log', '', '../a.log', 'x'.repeat(300), 'a\0'),
  cgroupParent: ({ random, scratch }) =>
    random.pick([
      ...(['', '', scratch.pods, `${scratch.pods}/../pods`, `${scratch.pods}/\0`] as const),
      ...[`${scratch.pods}/a\nb`, `${scratch.pods}/cgroup.procs`, `${scratch.pods}/${'x'.repeat(300)}`],
    ]),
  containerPath: (world) => values.containerPath(world),
  maskedPaths: (world) => values.containerPaths(world),
  readonlyPaths: (world) => values.containerPaths(world),
  cpusetCpus: some('', '0', '0-1', '99', '3-1', '0,,1', ',', '99999999999999999999'),
  cpusetMems: some('', '0', '99', '1-'),
  cpuPeriod: ({ random }) => random.pick([0, 1, 999, 1_000, 100_000, 1_000_001]),
  cpuQuota: ({ random }) => random.pick([-1, 0, 1, 999, 1_000, 50_000]),
  cpuShares: ({ random }) => random.pick([0, 1, 2, 1_024, 262_144, 262_145]),
  memoryLimitInBytes: ({ random }) => random.pick([-2, -1, 0, 1, 4_096, 8 << 20, 64 << 20, 2 ** 40]),
  memorySwapLimitInBytes: ({ random }) => random.pick([-1, 0, 1, 64 << 20, 128 << 20]),
  pageSize: some('2MB', '1GB', '3MB', 'x'),
  'Device.hostPath': (world) =>
    world.random.chance(0.5) ? world.random.pick(['/dev/null', '/dev/zero', '/dev/no-such']) : values.hostPath(world),
  'Device.permissions': some('rwm', 'r', ''),
  image: (world) => values.image(world),
  userSpecifiedImage: (world) => values.image(world),
  imageRef: (world) => values.image(world),
  serverAddress: some('', '127.0.0.1:1', 'registry.k8s.io'),
  command: (world) => values.command(world),
  cmd: (world) => values.command(world),
  args: () => [],
  privileged: never,
  sysctls: ({ random }) =>
    random.pick([
      ...([
        {},
        {},
        { 'kernel.shm_rmid_forced': '0' },
        { 'net.ipv4.no_such': '1' },
        { '../x': '' },
        { '': '' },
      ] as const),
      ...[{ 'net.ipv4': '1' }, { 'net.core.rmem_max': '1' }, { 'net.ipv4.ip_local_port_range': 'x' }],
      ...[{ 'kernel.sem': '' }, { 'kernel.shmmax': 'x'.repeat(100) }, { 'fs.mqueue.none': '1' }],
    ]),
  hostPort: ({ random }) => random.pick([0, 0, -1, 70_000, 40_000 + random.below(1_000)]),
  runtimeHandler: some('', '', '', '', 'runc', 'none'),
  podCidr: some('', '10.255.0.0/24'),
  timeout: ({ random }) => random.pick([0, 1, 2, -1, -5]),
  workingDir: some('', '/', '/tmp', 'relative'),
  network: namespaces,
  pid: namespaces,
  ipc: namespaces,
  'PodSandboxMetadata.name': some('fuzz-a', 'fuzz-b', 'fuzz-c'),
  'PodSandboxMetadata.uid': ({ random }) => `uid-${random.below(1e9)}`,
  'PodSandboxMetadata.namespace': some('fuzz', 'default'),
  'ContainerMetadata.name': ({ random }) => `c-${random.below(1e9)}`,
  attempt: ({ random }) => random.below(5),
};

function namespaces({ random }: World): number {
  return random.pick([0, 0, 1, 2, 3, 17, -1]);
}

/** How likely a field is there; those without which a request goes nowhere nearly always. */
const NEEDED = /^(podSandboxId|containerId|config|metadata|sandboxConfig|image|cmd|command|name|uid|namespace|linux)$/;
const MAX_DEPTH = 7;

/** A message of the type with any of its fields. */
export function messageOf(type: protobuf.Type, world: World, depth = 0): Message {
  const message: Message = {};
  for (const field of type.fieldsArray.map((each) => each.resolve())) {
    if (!world.random.chance(likelihood(field.name, depth))) continue;
    const value = fieldOf(type, field, { world, depth });
    if (value !== undefined) message[field.name] = value;
  }
  return message;
}

function likelihood(name: string, depth: number): number {
  if (NEEDED.test(name)) return 0.96;
  return depth === 0 ? 0.5 : 0.15;
}

interface Place {
  readonly world: World;
  readonly depth: number;
}

function fieldOf(type: protobuf.Type, field: protobuf.Field, place: Place): unknown {
  const maker = MAKERS[`${type.name}.${field.name}`] ?? MAKERS[field.name];
  const made = maker?.(place.world);
  if (made !== undefined && isFitting(field, made)) return made;
  if (field instanceof protobuf.MapField) return mapOf(place);
  if (!field.repeated) return valueOf(field, place);
  const { random } = place.world;
  const count = random.pick([0, 1, 1, 2, 3, random.chance(0.02) ? 2_000 : 1]);
  return Array.from({ length: count }, () => valueOf(field, place)).filter((value) => value !== undefined);
}

/** Some names are those of a text in one message, and of a message in another. */
function isFitting(field: protobuf.Field, value: unknown): boolean {
  if (field instanceof protobuf.MapField) return typeof value === 'object' && !Array.isArray(value);
  if (field.repeated) return Array.isArray(value);
  if (field.resolvedType instanceof protobuf.Type) return false;
  return field.type === 'string' ? typeof value === 'string' : typeof value !== 'string' && typeof value !== 'object';
}

function mapOf({ world }: Place): Message {
  const count = world.random.chance(0.01) ? 5_000 : world.random.below(4);
  const entries = Array.from({ length: count }, (_, n) => [
    `${count > 10 ? n : ''}${values.oddText(world)}`,
    values.oddText(world),
  ]);
  return Object.fromEntries(entries) as Message;
}

function valueOf(field: protobuf.Field, { world, depth }: Place): unknown {
  const { resolvedType, type } = field;
  if (resolvedType instanceof protobuf.Type)
    return depth >= MAX_DEPTH ? undefined : messageOf(resolvedType, world, depth + 1);
  if (resolvedType instanceof protobuf.Enum) return world.random.pick([0, 0, 1, 1, 2, 3, 99, -1, 2 ** 31 - 1]);
  if (type === 'string') return values.oddText(world);
  if (type === 'bool') return world.random.chance(0.5);
  if (type === 'bytes') return world.random.bytes(world.random.below(20));
  return values.number(type, world);
}
