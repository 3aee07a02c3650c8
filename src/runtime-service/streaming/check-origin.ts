import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

import type { Refusal } from './upgrade-request.js';

/**
 * Refuses what only a browser sends that some page has told to: an upgrade from another origin, or to a name that leads here for a
 * moment (DNS rebinding). The URLs that are given out have an IP address, and a client that dials one sends it as Host.
 *
 * kubelet hands on the requests of its own clients with the Host and Origin that those had sent, whatever they were, and always
 * adds X-Forwarded-For (k8s.io/apimachinery, UpgradeAwareHandler); there, nothing is checked, as with the peers. No page can have a
 * browser send that header with an upgrade.
 */
export function checkOrigin({ headers }: Pick<IncomingMessage, 'headers'>): Refusal | undefined {
  const { host = '', origin } = headers;
  if (headers['x-forwarded-for'] !== undefined) return undefined;
  if (!isOwnHost(host)) return { status: 403, message: 'the request is for a host of another name' };
  if (origin !== undefined && hostOf(origin) !== hostOf(`http://${host}`))
    return { status: 403, message: 'the request comes from another origin' };
  return undefined;
}

/** An address cannot be made to lead elsewhere. */
function isOwnHost(host: string): boolean {
  const name = hostnameOf(`http://${host}`);
  return name === 'localhost' || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

/** With the port, where it is not the scheme's own; an origin that is opaque ("null") has none. */
function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const usual = protocol === 'https:' ? '443' : '80';
  return `${hostname}:${port === '' ? usual : port}`;
}
