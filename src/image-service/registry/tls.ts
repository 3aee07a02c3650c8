import { readFileSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

import { failedPrecondition } from '../../base/errors.js';
import type { TlsSettings } from './endpoint.js';

/** Where distributions keep the certificates that the machine's administrator trusts; Node does not look there. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** One context for all connections to a server: to parse the trusted certificates takes tens of milliseconds. */
export function secureContext(tls: TlsSettings): SecureContext {
  try {
    return createSecureContext({
      ca: [...rootCertificates, ...systemCertificates(), ...tls.ca],
      ...(tls.client.length === 0
        ? {}
        : { cert: tls.client.map(({ cert }) => cert), key: tls.client.map(({ key }) => key) }),
    });
  } catch (error) {
    throw failedPrecondition('a certificate or key for a registry cannot be used', error);
  }
}

function systemCertificates(): string[] {
  for (const path of SYSTEM_BUNDLES) {
    try {
      return [readFileSync(path, 'utf8')];
    } catch {
      // not this distribution's place
    }
  }
  return [];
}
