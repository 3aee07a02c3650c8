import { dataLoss } from '../../base/errors.js';

/**
 * A binary string (one character a byte) as Node's file functions take it: a Buffer where it is not ASCII, so that
 * names in any encoding, or none, arrive on disk byte for byte.
 */
export function toPath(binary: string): string | Buffer {
  return isAscii(binary) ? binary : Buffer.from(binary, 'latin1');
}

/** A path of this machine as a binary string. */
export function toBinary(path: string): string {
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** PATH_MAX of the kernel, without the NUL. */
const MAX_BYTES = 4095;
/** Each file costs a walk along its path. Images have a few dozens of levels. */
const MAX_DEPTH = 256;

/** @throws data-loss for what is longer than the kernel takes; who keeps a name knows that it is short */
export function checkName(name: string, what: string): string {
  if (name.length <= MAX_BYTES) return name;
  throw dataLoss(`the ${what} has ${name.length} bytes, more than ${MAX_BYTES}`);
}

/**
 * The components of an entry's name. An absolute name counts from the image's root, as containerd has it; `..` is
 * refused, wherever it would lead.
 */
export function components(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw dataLoss('the name has a ".." component');
  if (parts.length > MAX_DEPTH) throw dataLoss(`the name is ${parts.length} levels deep, more than ${MAX_DEPTH}`);
  return parts;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}
