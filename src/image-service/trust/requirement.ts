import { codeOf } from '../../base/errors.js';
import { readIdentity, type SignedIdentity } from './identity.js';
import { parsePublicKey } from './public-key.js';
import type { StrictObject } from './strict-json.js';

/** What must be so for an image to be stored. */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | {
      readonly type: 'sigstoreSigned';
      /** One of them must have signed. */
      readonly keys: readonly KeySource[];
      readonly identity: SignedIdentity;
    };

/** A public key in PEM, or the file that holds it and is read when it is needed. */
export type KeySource = { readonly path: string } | { readonly pem: string };

export type SignedRequirement = Extract<Requirement, { type: 'sigstoreSigned' }>;

const KEY_FIELDS = ['keyPath', 'keyPaths', 'keyData', 'keyDatas'];

/** The list of requirements under a key, all of which must be met. */
export function readRequirements(parent: StrictObject, key: string): Requirement[] {
  return parent.objects(key).map(readRequirement);
}

function readRequirement(entry: StrictObject): Requirement {
  const type = entry.string('type');
  if (type === 'sigstoreSigned') return readSigned(entry);
  if (type !== 'insecureAcceptAnything' && type !== 'reject')
    throw entry.error('type', `${JSON.stringify(type)} is not supported`);
  entry.allow(['type']);
  return { type };
}

function readSigned(entry: StrictObject): SignedRequirement {
  const unsupported = entry.keys().find((key) => /^(?:fulcio|pki|rekor)/.test(key));
  if (unsupported !== undefined) throw entry.error(unsupported, 'is not supported: only keys are');
  entry.allow(['type', 'signedIdentity', ...KEY_FIELDS]);
  const [field, ...more] = KEY_FIELDS.filter((key) => entry.has(key));
  if (field === undefined) throw entry.error('keyPath', 'is missing, and so are the other fields for keys');
  if (more[0] !== undefined) throw entry.error(more[0], `cannot stand beside ${field}`);
  const values = field.endsWith('s') ? entry.strings(field) : [entry.string(field)];
  const keys = values.map((value) =>
    field.startsWith('keyPath') ? readPath(entry, field, value) : readData(entry, field, value),
  );
  return { type: 'sigstoreSigned', keys, identity: readIdentity(entry) };
}

function readPath(entry: StrictObject, field: string, path: string): KeySource {
  if (path.startsWith('/')) return { path };
  throw entry.error(field, `${JSON.stringify(path)} is no absolute path`);
}

function readData(entry: StrictObject, field: string, data: string): KeySource {
  const pem = Buffer.from(data, 'base64').toString('utf8');
  try {
    parsePublicKey(pem);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw entry.error(field, `is not the base64 of a public key: ${(error as Error).message}`);
  }
  return { pem };
}
