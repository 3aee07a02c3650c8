import type protobuf from 'protobufjs';

import { RPCS, type RpcName } from '../../api/cri/generated/services.js';
import { BUSYBOX } from '../harness/pods.js';
import { messageOf, typeOf, type Message } from './messages.js';
import type { World } from './values.js';

export interface FuzzedCall {
  readonly rpc: RpcName;
  /** For people: what `bytes` were made from. */
  readonly request: unknown;
  readonly bytes: Uint8Array;
}

/** All RPCs are called; those that make and use what there is more often. */
const MORE: Partial<Record<RpcName, number>> = {
  RunPodSandbox: 3,
  CreateContainer: 8,
  StartContainer: 6,
  ExecSync: 3,
  StopContainer: 2,
  UpdateContainerResources: 3,
};
const WEIGHTS = Object.fromEntries((Object.keys(RPCS) as RpcName[]).map((rpc) => [rpc, MORE[rpc] ?? 1])) as Readonly<
  Record<RpcName, number>
>;

/** Of these, broken bytes could name other paths or registries than the suite's own. */
const WHOLE: ReadonlySet<RpcName> = new Set([
  'RunPodSandbox',
  'CreateContainer',
  'PullImage',
  'CheckpointContainer',
  'RemoveImage',
  'ExecSync',
]);

export function randomCall(world: World): FuzzedCall {
  const { random } = world;
  const rpc = random.weighted(WEIGHTS);
  const type = requestType(rpc);
  if (!WHOLE.has(rpc) && random.chance(0.1)) return { rpc, request: 'broken bytes', bytes: broken(type, world) };
  const request = sane(rpc, messageOf(type, world), world);
  return { rpc, request, bytes: type.encode(type.create(request)).finish() };
}

function requestType(rpc: RpcName): protobuf.Type {
  return typeOf(rpc === 'GetContainerEvents' ? 'GetEventsRequest' : `${rpc}Request`);
}

/** Most pods and containers are to be made: what is wrong with one field shows only where the others are right. */
function sane(rpc: RpcName, message: Message, { random, scratch }: World): Message {
  const { config, timeout } = message;
  // Nobody waits for a command without end.
  if (rpc === 'ExecSync') return { ...message, timeout: timeout === undefined || timeout === 0 ? 1 : timeout };
  if (typeof config !== 'object' || config === null || !random.chance(0.7)) return message;
  if (rpc === 'RunPodSandbox') {
    const { metadata, hostname, labels, annotations } = config as Message;
    const base = { metadata, labels, annotations, logDirectory: `${scratch.logs}/fuzz`, linux: {} };
    return {
      config: {
        ...base,
        hostname: String(hostname)
          .slice(0, 3)
          .replace(/[^a-z]/g, ''),
        ...oneOf(config as Message, random.below(40)),
      },
    };
  }
  if (rpc !== 'CreateContainer') return message;
  const { metadata, command, labels, envs } = config as Message;
  const base = {
    metadata,
    command,
    labels,
    envs: random.chance(0.8) ? [] : envs,
    image: { image: BUSYBOX },
    logPath: 'a.log',
    linux: {},
  };
  return { ...message, config: { ...base, ...oneOf(config as Message, random.below(40)) } };
}

/** One of the fields, which stands alone with its faults. */
function oneOf(message: Message, index: number): Message {
  const name = Object.keys(message)[index];
  return name === undefined ? {} : { [name]: message[name] };
}

/** What is no message of the type, or an odd one. */
function broken(type: protobuf.Type, world: World): Uint8Array {
  const { random } = world;
  const bytes = Buffer.from(type.encode(type.create(messageOf(type, world))).finish());
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1:
      return random.bytes(random.below(200));
    case 2:
      // Groups in groups, which a parser goes into.
      return Buffer.alloc(random.pick([10, 1_000, 1 << 20]), 0x0b);
    case 3:
      return Buffer.concat([bytes, random.bytes(20)]);
    default:
      for (let n = 0; n < 3 && bytes.length > 0; n++) bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
  }
}
