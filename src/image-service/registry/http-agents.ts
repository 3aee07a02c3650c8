import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';

import { BoundedMap } from '../../base/bounded-map.js';

const MAX_AGENTS = 32;
/** How long a connection is kept for the next request, unless its server says less. */
const KEEP = { keepAlive: true, timeout: 15_000 };

/** Connections that are kept alive, one set for each way to reach and to trust a server. */
export class HttpAgents {
  /** The connections of a forgotten one end by themselves when they are idle. */
  readonly #agents = new BoundedMap<string, Promise<Agent>>(MAX_AGENTS);

  /** @param trust tells apart those that trust, or are shown, something else */
  get(trust: string, { secure, proxy }: { readonly secure: boolean; readonly proxy: URL | undefined }): Promise<Agent> {
    const key = JSON.stringify([trust, secure, proxy]);
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = makeAgent(secure, proxy);
    this.#agents.set(key, agent);
    return agent;
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    for (const agent of await Promise.all(agents)) agent.destroy();
  }
}

/** Few nodes have a proxy, and few proxies open tunnels for plain HTTP. */
async function makeAgent(secure: boolean, proxy: URL | undefined): Promise<Agent> {
  if (proxy === undefined) return secure ? new SecureAgent(KEEP) : new Agent(KEEP);
  if (!secure) return new (await import('http-proxy-agent')).HttpProxyAgent(proxy, KEEP);
  return new (await import('https-proxy-agent')).HttpsProxyAgent(proxy, KEEP);
}
