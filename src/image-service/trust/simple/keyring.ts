import { failedPrecondition } from '../../../base/errors.js';

const ARMOR = /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g;

/**
 * OpenPGP keys as `gpgv` takes them: the bytes of all armoured blocks of a file (RFC 9580, 6.2), which is how distributions
 * ship keys, or a file that is binary already.
 * @throws failed-precondition saying what is wrong
 */
export function toKeyring(file: Buffer): Buffer {
  const text = file.toString('latin1');
  if (!text.includes('-----BEGIN ')) return checked(file);
  const blocks = [...text.matchAll(ARMOR)].map(([, block = '']) => bodyOf(block));
  if (blocks.length === 0) throw failedPrecondition('no public key of OpenPGP');
  return checked(Buffer.concat(blocks));
}

/** Headers, an empty line, base64, and the checksum after `=`, which only guards against bad lines. */
function bodyOf(block: string): Buffer {
  const lines = block.split(/\r?\n/);
  const start = lines.findIndex((line) => line.trim() === '');
  const body = lines.slice(start + 1).filter((line) => !line.startsWith('='));
  return Buffer.from(body.join(''), 'base64');
}

/** The first packet must be a public key (RFC 9580, 4.2 and 5.5.1.1): a secret key has no place in a policy. */
function checked(keys: Buffer): Buffer {
  const [tag = 0] = keys;
  const isNew = (tag & 0x40) !== 0;
  const type = isNew ? tag & 0x3f : (tag >> 2) & 0x0f;
  if ((tag & 0x80) === 0 || type !== 6) throw failedPrecondition('no public key of OpenPGP');
  return keys;
}
