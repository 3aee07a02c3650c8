import Long from 'long';

import type { Scratch } from '../harness/scratch.js';
import { BUSYBOX } from '../harness/pods.js';
import type { Random } from './random.js';

/** What requests may name: nothing outside the suite's own directories, and no registry but on the loopback. */
export interface World {
  readonly scratch: Scratch;
  readonly random: Random;
  /** Ids of what there is. */
  readonly pods: string[];
  readonly containers: string[];
}

const ODD = [
  ...[
    '',
    ' ',
    '\0',
    'a\0b',
    '\n',
    'a\nb: c',
    '\t',
    '.',
    '..',
    '../..',
    '/',
    '//',
    '-',
    '--help',
    '-1',
    '0',
    'null',
    'true',
  ],
  ...[
    '{}',
    '"',
    "'",
    '\\',
    '%s%n%d',
    '$(x)',
    '${x}',
    'A=B',
    '=',
    'a,b',
    'a:b',
    'a/b',
    '*',
    '[',
    '(?',
    '__proto__',
    'constructor',
  ],
  ...[
    'ä',
    '\u202e',
    '\ufeff',
    '\ufffd',
    '😀',
    'e\u0301',
    'x'.repeat(64),
    'f'.repeat(64),
    'x'.repeat(255),
    'x'.repeat(256),
  ],
  ...[
    'x'.repeat(5_000),
    '😀'.repeat(2_000),
    '../'.repeat(1_000),
    '\x1b[2J',
    '\x7f',
    'localhost',
    '127.0.0.1',
    '::1',
    '1e999',
  ],
];

/** Any text; seldom one that is as long as a request may be. */
export function oddText({ random }: World): string {
  if (random.chance(0.004)) return 'x'.repeat(random.pick([1 << 20, 8 << 20, 15 << 20]));
  if (random.chance(0.2)) return random.bytes(random.below(40)).toString('latin1');
  return ODD[random.below(ODD.length)] ?? '';
}

const INT32 = [0, 1, -1, 2, 7, 80, 1_000, 65_535, 65_536, 2 ** 31 - 1, -(2 ** 31)] as const;
const INT64 = [
  '0',
  '1',
  '-1',
  '1000',
  '65536',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
] as const;

export function number(type: string, { random }: World): number | Long {
  switch (type) {
    case 'int64':
    case 'sint64':
      return Long.fromString(random.pick(INT64));
    case 'uint64':
      return Long.fromString(random.pick(['0', '1', '1000', '18446744073709551615']), true);
    case 'uint32':
      return random.pick([0, 1, 1_000, 65_536, 2 ** 32 - 1]);
    case 'double':
    case 'float':
      return random.pick([0, -1, 1.5, NaN, Infinity, -Infinity, Number.MAX_VALUE]);
    default:
      return random.pick(INT32);
  }
}

/** An id that exists, a part of one, or none. */
export function id(known: readonly string[], world: World): string {
  const { random } = world;
  const found = known[random.below(known.length)];
  if (found === undefined || random.chance(0.1))
    return random.chance(0.5) ? random.bytes(32).toString('hex') : oddText(world);
  if (random.chance(0.1)) return found.slice(0, random.below(64));
  return found;
}

/** Below the suite's directory, whether it is there or not, or no path that leads anywhere. */
export function hostPath(world: World): string {
  const { random, scratch } = world;
  const below = `${scratch.dir}/fuzz`;
  return random.pick([
    ...([
      below,
      `${below}/dir`,
      `${below}/dir`,
      `${below}/file`,
      `${below}/file/below`,
      `${below}/link`,
      `${below}/ring`,
    ] as const),
    ...[
      `${below}/none/${random.below(100)}`,
      `${below}/fifo`,
      `${below}//dir/./`,
      `${below}/dir/../dir`,
      `${below}/${'d'.repeat(300)}`,
    ],
    ...[`${below}/a\0b`, `${below}/ä\n`, '', 'relative', './dir', '../dir', '\0'],
  ]);
}

/** Where things are in a container, and where nothing can be. */
export function containerPath({ random }: World): string {
  const usual = random.pick(['/x', '/x/y', '/tmp', '/tmp/x', '/data', '/etc/hosts', '/dev/shm', '/dev/x', '/mnt/a b']);
  if (random.chance(0.4)) return usual;
  return random.pick([
    ...(['/', '//', '/..', '/a/..', '/proc', '/proc/self', '/proc/x', '/proc/1/fd', '/sys', '/sys/x'] as const),
    ...['/sys/fs/cgroup', '/dev', '/dev/null', '/dev/ptmx', '/dev/pts/x', '/dev/console', '/etc', '/etc/passwd'],
    ...[
      '/etc/passwd/x',
      '/bin',
      '/bin/sh',
      '/tmp/../proc',
      `/${'x'.repeat(300)}`,
      '/x'.repeat(2_000),
      '/a\nb',
      'x',
      '',
    ],
  ]);
}

export function containerPaths(world: World): string[] {
  return Array.from({ length: world.random.below(3) }, () => containerPath(world));
}

export function image({ random }: World): string {
  const none = [
    '',
    ' ',
    '\0',
    'A/B',
    ':',
    '@',
    'a@b',
    `${BUSYBOX}@sha256:0`,
    'x'.repeat(5_000),
    'http://127.0.0.1/x',
    '../x',
  ] as const;
  if (random.chance(0.7)) return BUSYBOX;
  return random.pick(['127.0.0.1:1/none/such:1', 'registry.k8s.io/none/such:1', `sha256:${'0'.repeat(64)}`, ...none]);
}

/** None that does more than to end, with or without its wish. */
export function command({ random }: World): string[] {
  const odd = [[''], ['\0'], ['/no/such'], ['/'], ['/etc/passwd'], ['x'.repeat(5_000)], ['sleep', '\0'], ['--', '-x']];
  if (random.chance(0.25)) return random.pick([[], ...odd]);
  const trap = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';
  return random.pick([['sh', '-c', trap], ['sh', '-c', trap], ['sleep', '1000'], ['true'], ['sh', '-c', 'exit 3']]);
}
