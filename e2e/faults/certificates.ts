import { join } from 'node:path';

import { runOk } from '../../src/base/spawn.js';

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority and a certificate of its for servers on loopback, as files in `dir`. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const path = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): Promise<unknown> => runOk('openssl', args, { timeoutMs: 60_000 });
  const key = (name: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', path(name), '-days', '2'];
  await openssl('req', '-x509', ...key('ca.key'), '-out', path('ca.crt'), '-subj', '/CN=Test CA');
  const signing = ['-CA', path('ca.crt'), '-CAkey', path('ca.key'), '-addext', 'subjectAltName=IP:127.0.0.1'];
  await openssl('req', '-x509', ...key('server.key'), '-out', path('server.crt'), '-subj', '/CN=registry', ...signing);
  return { ca: path('ca.crt'), cert: path('server.crt'), key: path('server.key') };
}
