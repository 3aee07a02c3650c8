import { isIP } from 'node:net';
import { posix } from 'node:path';

import type { TextOption } from './option.js';

/** How a kind of text is named in messages, and read: undefined where the text is not of the kind. */
export interface TextType {
  readonly expected: string;
  readonly read: (text: string) => string | undefined;
}

// sockaddr_un has 108 bytes with the final zero
const MAX_SOCKET_PATH = 107;

export const TEXT_TYPES: Readonly<Record<TextOption['type'], TextType>> = {
  path: { expected: 'an absolute path', read: readPath },
  socket: { expected: `the absolute path of a socket, of at most ${MAX_SOCKET_PATH} bytes`, read: readSocket },
  address: { expected: 'an IP address', read: (text) => keep(text, isIP(text) !== 0) },
  cgroup: { expected: 'an absolute cgroup path or the name of a slice', read: readCgroup },
  image: { expected: 'an image reference', read: (text) => keep(text, /^[\w][\w.:/@+-]*$/.test(text)) },
  handler: { expected: 'the name of a handler', read: (text) => keep(text, isHandlerName(text)) },
};

export const IMAGE_PATTERN: TextType = {
  expected: 'an image reference, in which * stands for anything',
  read: (text) => keep(text, /^[\w*][\w.:/@+*-]*$/.test(text)),
};

export const ANNOTATION_PATTERN: TextType = {
  expected: 'the name of an annotation, in which * stands for anything',
  read: (text) => keep(text, /^[\w.*/-]+$/.test(text)),
};

/** A RuntimeClass's handler is a DNS label, so nothing else can ever be asked for; it also becomes a file name. */
export function isHandlerName(name: string): boolean {
  return name.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name);
}

export function isSlice(cgroup: string): boolean {
  return /^[\w:.@-]+\.slice$/.test(cgroup);
}

function readPath(text: string): string | undefined {
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  if (!text.startsWith('/') || /[\0-\x1f\x7f]/.test(text)) return undefined;
  const path = posix.normalize(text);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function readSocket(text: string): string | undefined {
  const path = readPath(text.startsWith('unix://') ? text.slice('unix://'.length) : text);
  return path !== undefined && Buffer.byteLength(path) <= MAX_SOCKET_PATH ? path : undefined;
}

function readCgroup(text: string): string | undefined {
  return isSlice(text) ? text : readPath(text);
}

function keep(text: string, valid: boolean): string | undefined {
  return valid ? text : undefined;
}
