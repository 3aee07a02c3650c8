import { signatureRefused } from '../../base/errors.js';
import { formatReference, type Reference } from '../registry/reference.js';
import { matchesIdentity } from './identity.js';
import type { Rule } from './policy.js';
import type { SignedRequirement } from './requirement.js';
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

/** A way of signing. */
export interface SigningKind<Requirement extends SignedRequirement, Signature> {
  readonly requirements: (rule: Rule, what: string) => Requirement[];
  /** What its payloads say that they are. */
  readonly claimType: string;
  /**
   * Reads a requirement's keys. What it returns gives a signature's payload, which is only to be looked at once it is known to
   * be of one of these keys; undefined where it is of none.
   */
  readonly opener: (
    requirement: Requirement,
  ) => Promise<(signature: Signature) => Buffer | undefined | Promise<Buffer | undefined>>;
}

/**
 * Sees to it that each requirement of the kind in a rule is met by at least one of the image's signatures.
 * @throws signature-validation-failed saying what is wrong with each signature; failed-precondition for a key that cannot be read
 */
export async function checkSigned<Requirement extends SignedRequirement, Signature>(
  { requirements, claimType, opener }: SigningKind<Requirement, Signature>,
  { rule, image }: { readonly rule: Rule; readonly image: SignedImage },
  signatures: readonly Signature[],
): Promise<void> {
  const what = `${formatReference(image.reference)} (manifest ${image.digest})`;
  for (const requirement of requirements(rule, what)) {
    const open = await opener(requirement);
    const reasons: (string | undefined)[] = [];
    for (const signature of signatures)
      reasons.push(refusalOf(await open(signature), { image, requirement, claimType }));
    if (reasons.includes(undefined)) continue;
    const why = reasons.length === 0 ? 'it has no signature' : [...new Set(reasons)].join('; ');
    throw signatureRefused(`${what} must be signed, says ${rule.from}: ${why}`);
  }
}

interface Expected {
  readonly image: SignedImage;
  readonly requirement: SignedRequirement;
  readonly claimType: string;
}

/** Why a signature does not count, by its payload. */
function refusalOf(
  payload: Buffer | undefined,
  { image, requirement: { identity }, claimType }: Expected,
): string | undefined {
  if (payload === undefined) return 'a signature is of no trusted key';
  const claim = readClaim(payload, claimType);
  if (claim === undefined) return 'a signature claims nothing that is understood';
  if (claim.digest !== image.digest) return `a signature is of ${JSON.stringify(claim.digest)}`;
  if (matchesIdentity(identity, image.reference, claim.reference)) return undefined;
  return `a signature is for ${JSON.stringify(claim.reference)}, which ${identity.type} does not accept`;
}
