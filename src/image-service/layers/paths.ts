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

/**
 * The components of an entry's name. An absolute name counts from the image's root, as containerd has it; `..` is
 * refused, wherever it would lead.
 */
export function components(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw dataLoss('the name has a ".." component');
  return parts;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}
