import { errnoOf, unavailable, type GantryError } from '../../base/errors.js';
import { transient } from './transient.js';

/** Who was waited for that long, or does not exist, is not tried again. */
const LONG_WAITED = ['ETIMEDOUT', 'ENOTFOUND'];
/** Node's codes for a certificate that it does not accept are those of OpenSSL's X509_V_ERR_… without the prefix, and its own. */
const CERTIFICATE =
  /^(CERT_|CRL_|ERR_TLS_CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|EMAIL_MISMATCH)/;
/** Node 24 says which of its options may help, which are not ours. */
const ADVICE = /; if the root CA .*$/;
/** `error:<number>:<library>:<function>:<reason>:<file>…`, see ERR_error_string(3). */
const OPENSSL = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/;
/** What OpenSSL takes an answer for that is no TLS, by version. */
const NO_TLS = ['wrong version number', 'packet length too long', 'http request', 'unexpected message'];

/** The error for a server that does not answer; transient, unless it would answer the same another time. */
export function noAnswer(where: string, error: unknown): GantryError {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  const { reason, final } = reasonOf(error, code, message);
  const text = `no answer from ${where}: ${reason}`;
  return final ? unavailable(text) : transient('unavailable', text);
}

function reasonOf(error: unknown, code: string, message: string): { readonly reason: string; readonly final: boolean } {
  if (CERTIFICATE.test(code))
    return { reason: `its certificate is not trusted: ${message.replace(ADVICE, '')}`, final: true };
  const tls = OPENSSL.exec(message)?.[1];
  if (NO_TLS.includes(tls ?? '')) return { reason: 'it does not speak TLS; plain HTTP, perhaps', final: true };
  if (tls !== undefined) return { reason: `TLS: ${tls}`, final: false };
  // Errors of connecting to several addresses have no message of their own, only a code.
  return { reason: message || errnoOf(error) || code || 'unknown', final: LONG_WAITED.includes(code) };
}
