import type { KeyObject } from 'node:crypto';

import { failedPrecondition, signatureRefused } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import { formatReference, type Reference } from '../registry/reference.js';
import type { Signature } from '../registry/signatures.js';
import { matchesIdentity } from './identity.js';
import type { Rule } from './policy.js';
import { isSignedBy, parsePublicKey } from './public-key.js';
import type { KeySource, SignedRequirement, SigstoreRequirement } from './requirement.js';
import { readClaim } from './simple-signing.js';

/** An image, by the name that it was asked for by and the digest of the manifest for this machine. */
export interface SignedImage {
  readonly reference: Reference;
  readonly digest: string;
}

/** The requirements that only signatures can meet. @throws signature-validation-failed where nothing can */
export function signedRequirements({ requirements, from }: Rule, what: string): SignedRequirement[] {
  if (requirements.some(({ type }) => type === 'reject')) throw signatureRefused(`${what} is rejected by ${from}`);
  const unsupported = requirements.find((one) => one.type === 'unsupported');
  if (unsupported !== undefined)
    throw signatureRefused(`${what} cannot be checked as ${from} asks: ${unsupported.what} is not supported`);
  return requirements.filter((one) => one.type === 'sigstoreSigned' || one.type === 'signedBy');
}

export function sigstoreRequirements(rule: Rule, what: string): SigstoreRequirement[] {
  return signedRequirements(rule, what).filter((requirement) => requirement.type === 'sigstoreSigned');
}

/**
 * Sees to it that each `sigstoreSigned` of a rule is met by at least one of the image's signatures.
 * @throws signature-validation-failed saying what is wrong with each signature; failed-precondition for a key that cannot be read
 */
export async function checkSignatures(rule: Rule, image: SignedImage, signatures: readonly Signature[]): Promise<void> {
  const what = `${formatReference(image.reference)} (manifest ${image.digest})`;
  for (const requirement of sigstoreRequirements(rule, what)) {
    const keys = await Promise.all(requirement.keys.map(readKey));
    const reasons = signatures.map((signature) => refusalOf(signature, { image, requirement, keys }));
    if (reasons.includes(undefined)) continue;
    const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join('; ');
    throw signatureRefused(`${what} must be signed, says ${rule.from}: ${why}`);
  }
}

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

interface Expected {
  readonly image: SignedImage;
  readonly requirement: SigstoreRequirement;
  readonly keys: readonly KeyObject[];
}

/** Why a signature does not count. Its payload is only looked at once it is known to be of a trusted key. */
function refusalOf({ payload, signature }: Signature, { image, requirement, keys }: Expected): string | undefined {
  if (!keys.some((key) => isSignedBy(key, payload, signature))) return 'a signature is of no trusted key';
  const claim = readClaim(payload);
  if (claim === undefined) return 'a signature claims nothing that is understood';
  if (claim.digest !== image.digest) return `a signature is of ${JSON.stringify(claim.digest)}`;
  if (matchesIdentity(requirement.identity, image.reference, claim.reference)) return undefined;
  return `a signature is for ${JSON.stringify(claim.reference)}, which ${requirement.identity.type} does not accept`;
}
