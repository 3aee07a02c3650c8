import { failedPrecondition, signatureRefused } from '../../../base/errors.js';
import { readRegular } from '../../../base/files.js';
import { formatReference } from '../../registry/reference.js';
import { signedRequirements, type SignedImage } from '../check-signatures.js';
import { matchesIdentity } from '../identity.js';
import type { Rule } from '../policy.js';
import type { GpgKeySource, SimpleRequirement } from '../requirement.js';
import { readClaim, SIMPLE_TYPE } from '../simple-signing.js';
import { toKeyring } from './keyring.js';
import { signedText } from './verify.js';

/**
 * Sees to it that each `signedBy` of a rule is met by at least one of the image's signatures (simple signing).
 * @throws signature-validation-failed saying what is wrong with each signature; failed-precondition for a key that cannot be read
 */
export async function checkSimpleSignatures(
  rule: Rule,
  image: SignedImage,
  signatures: readonly Buffer[],
): Promise<void> {
  const what = `${formatReference(image.reference)} (manifest ${image.digest})`;
  for (const requirement of simpleRequirements(rule, what)) {
    const keyrings = await Promise.all(requirement.keys.map(readKeyring));
    const reasons: (string | undefined)[] = [];
    for (const signature of signatures) reasons.push(await refusalOf(signature, { image, requirement, keyrings }));
    if (reasons.includes(undefined)) continue;
    const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join('; ');
    throw signatureRefused(`${what} must be signed, says ${rule.from}: ${why}`);
  }
}

export function simpleRequirements(rule: Rule, what: string): SimpleRequirement[] {
  return signedRequirements(rule, what).filter((requirement) => requirement.type === 'signedBy');
}

async function readKeyring(source: GpgKeySource): Promise<Buffer> {
  if ('data' in source) return source.data;
  try {
    return toKeyring(await readRegular(source.path));
  } catch (error) {
    throw failedPrecondition(`the keys in ${source.path} cannot be used`, error);
  }
}

interface Expected {
  readonly image: SignedImage;
  readonly requirement: SimpleRequirement;
  readonly keyrings: readonly Buffer[];
}

async function refusalOf(signature: Buffer, { image, requirement, keyrings }: Expected): Promise<string | undefined> {
  const payload = await signedText(signature, keyrings);
  if (payload === undefined) return 'a signature is of no trusted key';
  const claim = readClaim(payload, SIMPLE_TYPE);
  if (claim === undefined) return 'a signature claims nothing that is understood';
  if (claim.digest !== image.digest) return `a signature is of ${JSON.stringify(claim.digest)}`;
  if (matchesIdentity(requirement.identity, image.reference, claim.reference)) return undefined;
  return `a signature is for ${JSON.stringify(claim.reference)}, which ${requirement.identity.type} does not accept`;
}
