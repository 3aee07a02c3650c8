import { codeOf } from '../../base/errors.js';
import { readIdentity, type SignedIdentity } from './identity.js';
import { parsePublicKey } from './public-key.js';
import { toKeyring } from './simple/keyring.js';
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
    }
  | {
      readonly type: 'signedBy';
      /** One key of them must have signed. */
      readonly keys: readonly GpgKeySource[];
      readonly identity: SignedIdentity;
    }
  /** What cannot be checked here: no image that it is asked of may be stored. */
  | { readonly type: 'unsupported'; readonly what: string };

/** Keys of OpenPGP, or the file that holds them and is read when they are needed. */
export type GpgKeySource = { readonly path: string } | { readonly data: Buffer };

/** A public key in PEM, or the file that holds it and is read when it is needed. */
export type KeySource = { readonly path: string } | { readonly pem: string };

export type SigstoreRequirement = Extract<Requirement, { type: 'sigstoreSigned' }>;
export type SimpleRequirement = Extract<Requirement, { type: 'signedBy' }>;
/** What only signatures can meet. */
export type SignedRequirement = SigstoreRequirement | SimpleRequirement;

const KEY_FIELDS = ['keyPath', 'keyPaths', 'keyData', 'keyDatas'];

/** The list of requirements under a key, all of which must be met. */
export function readRequirements(parent: StrictObject, key: string): Requirement[] {
  return parent.objects(key).map(readRequirement);
}

function readRequirement(entry: StrictObject): Requirement {
  const type = entry.string('type');
  if (type === 'sigstoreSigned') return readSigned(entry);
  if (type === 'signedBy') return readSignedBy(entry);
  if (type !== 'insecureAcceptAnything' && type !== 'reject') return unsupported(`type ${JSON.stringify(type)}`);
  entry.allow(['type']);
  return { type };
}

function unsupported(what: string): Requirement {
  return { type: 'unsupported', what };
}

function readSigned(entry: StrictObject): Requirement {
  const keyless = entry.keys().find((key) => /^(?:fulcio|pki|rekor)/.test(key));
  if (keyless !== undefined) return unsupported(`${keyless} of sigstoreSigned`);
  entry.allow(['type', 'signedIdentity', ...KEY_FIELDS]);
  const field = onlyField(entry, KEY_FIELDS);
  const keys = valuesOf(entry, field).map((value) =>
    field.startsWith('keyPath') ? readPath(entry, field, value) : readData(entry, field, value),
  );
  return { type: 'sigstoreSigned', keys, identity: readIdentity(entry) };
}

const GPG_FIELDS = ['keyPath', 'keyPaths', 'keyData'];

function readSignedBy(entry: StrictObject): Requirement {
  const keyType = entry.string('keyType');
  if (keyType !== 'GPGKeys') return unsupported(`keyType ${JSON.stringify(keyType)} of signedBy`);
  entry.allow(['type', 'keyType', 'signedIdentity', ...GPG_FIELDS]);
  const field = onlyField(entry, GPG_FIELDS);
  const keys =
    field === 'keyData' ? [readKeyring(entry)] : valuesOf(entry, field).map((path) => readPath(entry, field, path));
  return { type: 'signedBy', keys, identity: readIdentity(entry) };
}

/** The one of the fields for keys that is there. */
function onlyField(entry: StrictObject, fields: readonly string[]): string {
  const [field, ...more] = fields.filter((key) => entry.has(key));
  if (field === undefined) throw entry.error('keyPath', 'is missing, and so are the other fields for keys');
  if (more[0] !== undefined) throw entry.error(more[0], `cannot stand beside ${field}`);
  return field;
}

function valuesOf(entry: StrictObject, field: string): string[] {
  return field.endsWith('s') ? entry.strings(field) : [entry.string(field)];
}

function readKeyring(entry: StrictObject): GpgKeySource {
  try {
    return { data: toKeyring(Buffer.from(entry.string('keyData'), 'base64')) };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    throw entry.error('keyData', `is not the base64 of public keys: ${(error as Error).message}`);
  }
}

function readPath(entry: StrictObject, field: string, path: string): { readonly path: string } {
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
