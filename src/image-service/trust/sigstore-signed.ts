import type { KeyObject } from 'node:crypto';

import { failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import type { Signature } from '../registry/signatures.js';
import { signedRequirements, type SigningKind } from './check-signed.js';
import { isSignedBy, parsePublicKey } from './public-key.js';
import type { KeySource, SigstoreRequirement } from './requirement.js';
import { COSIGN_TYPE } from './simple-signing.js';

/** `sigstoreSigned`: signatures beside the image, of bare public keys. */
export const SIGSTORE_SIGNED: SigningKind<SigstoreRequirement, Signature> = {
  requirements: (rule, what) =>
    signedRequirements(rule, what).filter((requirement) => requirement.type === 'sigstoreSigned'),
  claimType: COSIGN_TYPE,
  opener: async (requirement) => {
    const keys = await Promise.all(requirement.keys.map(readKey));
    return ({ payload, signature }) => (keys.some((key) => isSignedBy(key, payload, signature)) ? payload : undefined);
  },
};

async function readKey(source: KeySource): Promise<KeyObject> {
  if ('pem' in source) return parsePublicKey(source.pem);
  const pem = await readConfigIfExists(source.path);
  if (pem === undefined) throw failedPrecondition(`the public key ${source.path} is not there`);
  try {
    return parsePublicKey(pem);
  } catch (error) {
    throw failedPrecondition(`the public key ${source.path} cannot be used`, error);
  }
}
