import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { readText } from '../../base/files.js';
import { failedPrecondition } from '../../base/errors.js';
import type { TlsSettings } from './endpoint.js';

/** Where distributions keep the certificates that the machine's administrator trusts; Node does not look there. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** Certificates that are parsed in one turn of the event loop: a millisecond or two. */
const SLICE = 8;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * What a server is trusted by, and what is shown to it. All trusted certificates together take a tenth of a second to parse, so that
 * is done bit by bit, and the result is to be kept for all connections to the server.
 * @throws failed-precondition if a certificate or key cannot be used
 */
export async function secureContext(tls: TlsSettings): Promise<SecureContext> {
  const trusted = [...rootCertificates, ...(await systemCertificates())].map((pem) => pem.trim());
  try {
    const [cert, key] = [tls.client.map((each) => each.cert), tls.client.map((each) => each.key)];
    // A list of authorities, be it empty, keeps Node from parsing all of its own at once.
    const context = createSecureContext({ ca: [...tls.ca], ...(cert.length === 0 ? {} : { cert, key }) });
    await addSlowly(context, [...new Set(trusted)]);
    return context;
  } catch (error) {
    throw failedPrecondition('a certificate or key for a registry cannot be used', error);
  }
}

async function addSlowly({ context }: SecureContext, certificates: readonly string[]): Promise<void> {
  const native = context as { addCACert(pem: string): void };
  for (const [index, pem] of certificates.entries()) {
    if (index % SLICE === 0) await nextTurn();
    native.addCACert(pem);
  }
}

async function systemCertificates(): Promise<string[]> {
  for (const path of SYSTEM_BUNDLES) {
    // Where there is none, or none in it, it is not this distribution's place.
    const found = (await readText(path).catch(() => '')).match(CERTIFICATE);
    if (found !== null) return found;
  }
  return [];
}
