/** How to trust a server, as files' contents: what was read once is what is used. */
export interface TlsSettings {
  readonly skipVerify: boolean;
  /** PEM, trusted beside the system's. */
  readonly ca: readonly string[];
  /** PEM certificates and keys to show to the server. */
  readonly client: readonly { readonly cert: string; readonly key: string }[];
}

/** A server that an image may be fetched from. */
export interface Endpoint {
  /** What the API's paths are appended to: `https://registry-1.docker.io/v2`. */
  readonly base: string;
  /** The upstream is the registry that the image's name stands for; mirrors never see its credentials. */
  readonly role: 'upstream' | 'mirror';
  /** Whether it may be asked what a tag stands for, and for content by its digest. */
  readonly resolve: boolean;
  readonly pull: boolean;
  readonly tls: TlsSettings;
  /** Sent with every request to this server, and to no other. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long to wait for a connection, where it is not the usual time. */
  readonly dialTimeoutMs?: number;
  /** The image's path on this server, where its own name does not say it. */
  readonly path?: string;
  /** Where this server comes from, for people: the file that names it. */
  readonly why: string;
  /** It is the server of the endpoint before, to be asked if that has no answer by TLS. */
  readonly isPlainTwin?: true;
}

/** The same server, asked by plain HTTP. */
export function plainTwin(secure: Endpoint): Endpoint {
  return { ...secure, base: secure.base.replace('https:', 'http:'), isPlainTwin: true };
}

/** True for one server and place that is asked by TLS and by plain HTTP; not for two that a file names. */
export function isTwin(one: Endpoint, other: Endpoint): boolean {
  const [a, b] = [one, other].map(({ base, path }) => JSON.stringify([base.replace(/^https?:/, ''), path]));
  return one.isPlainTwin !== other.isPlainTwin && a === b;
}

/** Host and port as they are written, with the scheme's own port if it is. */
export function serverOf({ base }: Endpoint): string {
  return base.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

/** What no file names is where the image's name says. */
const BY_NAME = "the image's name";

export const DEFAULT_TLS: TlsSettings = { skipVerify: false, ca: [], client: [] };

/** Docker Hub's name is not where it is. */
export function hostOf(registry: string): string {
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry;
}

export function upstreamOf(registry: string): Endpoint {
  const base = `https://${hostOf(registry)}/v2`;
  return { base, role: 'upstream', resolve: true, pull: true, tls: DEFAULT_TLS, headers: {}, why: BY_NAME };
}

/** The registry itself; one on this machine is asked by plain HTTP, too, as by Docker and containerd: nobody is between. */
export function upstreamsOf(registry: string): Endpoint[] {
  return withPlain(upstreamOf(registry), registry);
}

/** An endpoint that is the registry by https; on this machine, by plain HTTP after that. */
export function withPlain(upstream: Endpoint, registry: string): Endpoint[] {
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(registry);
  return isLocal ? [upstream, plainTwin(upstream)] : [upstream];
}
