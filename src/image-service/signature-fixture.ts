import { sign, type KeyObject } from 'node:crypto';

import { blobOf, type Blob, type FixtureImage } from './image-fixture.js';

/** A signature in cosign's simple format, and what it may lie about. */
export interface FixtureSignature {
  readonly key: KeyObject;
  readonly digest: string;
  readonly reference: string;
  readonly type?: string;
  /** Changes the payload after it was signed. */
  readonly spoil?: (payload: Buffer) => Buffer;
}

/** What cosign pushes under `sha256-<hex>.sig`: an image whose layers are the payloads. */
export function signatureImage(signatures: readonly FixtureSignature[]): FixtureImage {
  const config = blobOf('application/vnd.oci.image.config.v1+json', { architecture: '', os: '', config: {} });
  const signed = signatures.map(signatureOf);
  const layers = signed.map(({ payload: { mediaType, digest, size }, signature }) => ({
    mediaType,
    digest,
    size,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  }));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const { digest, size } = config;
  const body = { schemaVersion: 2, mediaType, config: { mediaType: config.mediaType, digest, size }, layers };
  return { manifest: blobOf(mediaType, body), blobs: [config, ...signed.map(({ payload }) => payload)], id: digest };
}

/** The tag under which cosign keeps a manifest's signatures. */
export const signatureTag = (digest: string): string => `${digest.replace(':', '-')}.sig`;

function signatureOf({ key, digest, reference, ...more }: FixtureSignature): { payload: Blob; signature: string } {
  const { type = 'cosign container image signature', spoil = (same: Buffer): Buffer => same } = more;
  const critical = { identity: { 'docker-reference': reference }, image: { 'docker-manifest-digest': digest }, type };
  const payload = Buffer.from(JSON.stringify({ critical, optional: { creator: 'a test' } }));
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key).toString('base64');
  return { payload: blobOf('application/vnd.dev.cosign.simplesigning.v1+json', spoil(payload)), signature };
}
