import { createPublicKey, verify, type KeyObject } from 'node:crypto';

import { failedPrecondition } from '../../base/errors.js';

const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 2048;

/** @throws failed-precondition if it is no PEM of a public key that signs images: ECDSA on a NIST curve, RSA, Ed25519 */
export function parsePublicKey(pem: string): KeyObject {
  const key = keyOf(pem);
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && CURVES.includes(namedCurve)) return key;
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS) return key;
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw failedPrecondition(`a key of type ${key.asymmetricKeyType ?? '?'} ${namedCurve || modulusLength || ''}`.trim());
}

/** A private key would be taken for its public half; it does not belong into a policy. */
function keyOf(pem: string): KeyObject {
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem)) throw failedPrecondition('no PEM of a public key');
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw failedPrecondition('no public key', error);
  }
}

/** True if the signature (ECDSA in DER, RSA by PKCS #1 v1.5, both of SHA-256; Ed25519 of the bytes) is the key's for these bytes. */
export function isSignedBy(key: KeyObject, payload: Buffer, signature: Buffer): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature);
  } catch {
    return false;
  }
}
