import { failedPrecondition } from '../../../base/errors.js';
import { readRegular } from '../../../base/files.js';
import { signedRequirements, type SigningKind } from '../check-signed.js';
import type { GpgKeySource, SimpleRequirement } from '../requirement.js';
import { SIMPLE_TYPE } from '../simple-signing.js';
import { toKeyring } from './keyring.js';
import { signedText } from './verify.js';

/** `signedBy`: signatures beside the registry, of GPG keys (simple signing). */
export const SIGNED_BY: SigningKind<SimpleRequirement, Buffer> = {
  requirements: (rule, what) => signedRequirements(rule, what).filter((requirement) => requirement.type === 'signedBy'),
  claimType: SIMPLE_TYPE,
  opener: async (requirement) => {
    const keyrings = await Promise.all(requirement.keys.map(readKeyring));
    return (signature) => signedText(signature, keyrings);
  },
};

async function readKeyring(source: GpgKeySource): Promise<Buffer> {
  if ('data' in source) return source.data;
  try {
    return toKeyring(await readRegular(source.path));
  } catch (error) {
    throw failedPrecondition(`the keys in ${source.path} cannot be used`, error);
  }
}
