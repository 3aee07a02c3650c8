import { describeError } from '../base/errors.js';
import type { Breaker } from './registry/breaker.js';
import { credentialChain } from './registry/credential-chain.js';
import { credentialsFor, type CredentialSources } from './registry/credentials-for.js';
import type { Endpoint } from './registry/endpoint.js';
import type { HttpPool } from './registry/http.js';
import { formatReference, type Reference } from './registry/reference.js';
import type { Registries } from './registry/registries.js';
import { signedRequirements } from './trust/check-signed.js';
import type { SignaturePolicy } from './trust/signature-policy.js';

export interface ExplainContext {
  readonly registries: Registries;
  readonly patience: { readonly breaker: Breaker };
  readonly authFiles: readonly string[];
  readonly http: Pick<HttpPool, 'proxyFor'>;
  readonly trust: SignaturePolicy;
}

/** A name that an image may stand for, and the servers that would be asked for it, in order. */
export interface Explanation {
  readonly reference: string;
  readonly servers: readonly ExplainedServer[];
  /** What the signature policy says of it, if there is one. */
  readonly signatures?: string;
  /** Why it cannot be pulled at all. */
  readonly error?: string;
}

export interface ExplainedServer {
  readonly url: string;
  readonly role: Endpoint['role'];
  /** What it may be asked for: what a tag stands for, content. */
  readonly capabilities: readonly ('resolve' | 'pull')[];
  readonly tls: 'verified' | 'not verified' | 'none';
  /** The file that names the server. */
  readonly why: string;
  /** The proxy that it is asked through, if any. */
  readonly proxy?: string;
  /** Where the credentials for it come from, if it asks for some. */
  readonly credentials: string;
  /** Why it is asked after the others for now. */
  readonly trouble?: string;
}

/** Tells where an image would be pulled from, and why, without asking anybody but credential helpers. */
export async function explainImage(context: ExplainContext, image: string): Promise<Explanation[]> {
  const references = await context.registries.references(image);
  return Promise.all(references.map((reference) => explain(context, reference)));
}

async function explain(context: ExplainContext, reference: Reference): Promise<Explanation> {
  const name = formatReference(reference);
  try {
    const signatures = await explainTrust(context.trust, reference);
    const helpers = await context.registries.credentialHelpers();
    const store = await credentialChain({ authFiles: context.authFiles, helpers });
    const endpoints = await context.registries.endpointsFor(reference);
    const sessions = context.patience.breaker.inOrder(endpoints.map((endpoint) => ({ endpoint })));
    const servers = sessions.map(({ endpoint }) => explainServer(context, endpoint, { reference, store }));
    return { reference: name, servers: await Promise.all(servers), ...signatures };
  } catch (error) {
    return { reference: name, servers: [], error: describeError(error) };
  }
}

/** @throws signature-validation-failed for what is rejected whatever signatures it has */
async function explainTrust(trust: SignaturePolicy, reference: Reference): Promise<Pick<Explanation, 'signatures'>> {
  const rule = await trust.ruleFor(reference);
  if (rule.requirements.length === 0) return {};
  const count = signedRequirements(rule, formatReference(reference)).length;
  return { signatures: `${count === 0 ? 'not required' : 'required'} by ${rule.from}` };
}

async function explainServer(
  { patience, http }: ExplainContext,
  endpoint: Endpoint,
  sources: CredentialSources,
): Promise<ExplainedServer> {
  const { base, role, resolve, pull, why } = endpoint;
  const trouble = patience.breaker.trouble(base);
  const proxy = http.proxyFor(base);
  return {
    url: `${base}/${endpoint.path ?? sources.reference.repository}`,
    role,
    capabilities: [...(resolve ? (['resolve'] as const) : []), ...(pull ? (['pull'] as const) : [])],
    tls: tlsOf(endpoint),
    why,
    ...(proxy === undefined ? {} : { proxy }),
    credentials: await credentialsFor(endpoint, sources).then(({ from }) => from, describeError),
    ...(trouble === undefined ? {} : { trouble: `${trouble.why} (for ${Math.ceil(trouble.forMs / 1000)} s more)` }),
  };
}

function tlsOf({ base, tls }: Endpoint): ExplainedServer['tls'] {
  if (base.startsWith('http:')) return 'none';
  return tls.skipVerify ? 'not verified' : 'verified';
}
