import { throwIfAborted } from '../base/abort.js';
import { dataLoss, hasCode, unavailable, wrapError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Flights } from './flights.js';
import type { ImageContent, ImageNames, ImageStore } from './image-store.js';
import { installArtifact } from './install-artifact.js';
import { installImage } from './install-image.js';
import type { LayerStore, Unpacked } from './layers/layer-store.js';
import type { Progress } from './progress.js';
import { authorizer } from './registry/authorizer.js';
import { checkBigDocument } from './registry/big-document.js';
import { readLimited } from './registry/body.js';
import { credentialChain, type CredentialStore } from './registry/credential-chain.js';
import type { CredentialSources } from './registry/credentials-for.js';
import type { AuthConfig } from './registry/credentials.js';
import { digestOf } from './registry/digest.js';
import { fetchBlob } from './registry/fetch-blob.js';
import { allFailed, firstOf, type Patience } from './registry/first-of.js';
import { followIndexes, type FoundManifest } from './registry/follow-indexes.js';
import type { HttpPool } from './registry/http.js';
import { parseManifest, type Descriptor, type Manifest } from './registry/manifest.js';
import { takeNamespacedAuth } from './registry/namespaced-auth.js';
import type { PartialBlobs } from './registry/partial-blobs.js';
import { formatReference, nameOf, type Reference } from './registry/reference.js';
import type { Registries } from './registry/registries.js';
import { RegistrySession, type FetchedManifest } from './registry/session.js';
import type { TokenCache } from './registry/token-cache.js';
import { checkFetched } from './registry/signatures.js';
import { checkSigned, signedRequirements, type SignedImage } from './trust/check-signed.js';
import type { Rule } from './trust/policy.js';
import { SIGSTORE_SIGNED } from './trust/sigstore-signed.js';
import { fetchSignatures } from './trust/simple/fetch-signatures.js';
import type { Lookaside } from './trust/simple/lookaside.js';
import { SIGNED_BY } from './trust/simple/signed-by.js';
import type { SignaturePolicy } from './trust/signature-policy.js';
import type { ImageRecord } from './types.js';

export interface PullContext {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly http: HttpPool;
  /** Pulls under way, by the digest of what was asked for. */
  readonly flights: Flights<ImageContent>;
  readonly registries: Registries;
  readonly tokens: TokenCache;
  readonly patience: Patience;
  readonly partials: PartialBlobs;
  readonly trust: SignaturePolicy;
  readonly lookaside: Lookaside;
  readonly progress: Progress;
  readonly authFiles: readonly string[];
  /** See {@link takeNamespacedAuth}; empty: none. */
  readonly namespacedAuthDir: string;
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly logger: Logger;
}

export interface PullOptions {
  readonly auth?: AuthConfig | undefined;
  /** Of the pod that the image is for. */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with what the pull's progress is asked for by, when it is known what is to be fetched. */
  readonly onFetch?: ((key: string) => void) | undefined;
}

interface ReferenceOptions extends PullOptions {
  /** Credentials that were left for this pull. */
  readonly podAuth: CredentialStore | undefined;
}

/** One image's pull: whom to ask, and what for. */
interface Pull extends PullContext {
  readonly sources: CredentialSources;
  readonly sessions: readonly RegistrySession[];
  /** Complete reference, for messages. */
  readonly what: string;
  /** Registry and repository. */
  readonly name: string;
}

/** An image's configuration may hold long histories; nothing honest comes near this, and more takes long to hash. */
const MAX_CONFIG = 4 << 20;

/**
 * Pulls an image. A short name is pulled from the first of the places that it may stand for that has it.
 * @throws invalid-argument for the reference; else an error that says what each endpoint answered
 */
export async function pullImage(context: PullContext, image: string, options: PullOptions = {}): Promise<ImageRecord> {
  const failures: unknown[] = [];
  const references = await context.registries.references(image);
  const { namespacedAuthDir } = context;
  const podAuth = await takeNamespacedAuth(namespacedAuthDir, { namespace: options.namespace ?? '', image });
  for (const reference of references) {
    try {
      return await pullReference(context, reference, {
        ...options,
        podAuth,
        auth: authFor(reference, references, options.auth),
      });
    } catch (error) {
      throwIfAborted(options.signal);
      failures.push(error);
    }
  }
  throw failures.length === 1 ? failures[0] : allFailed(failures, `pull ${image}`);
}

/**
 * The call's credentials, if they are meant for this place. For kubelet a short name is one on Docker Hub, and those that it finds for
 * it are no business of the other registries in which it is looked for.
 */
function authFor(reference: Reference, all: readonly Reference[], auth?: AuthConfig): AuthConfig | undefined {
  const hub = all.find(({ registry }) => registry === 'docker.io');
  return auth?.serverAddress || hub === undefined || hub.registry === reference.registry ? auth : undefined;
}

/**
 * Pulls an image by its whole name. The registry is always asked what the reference stands for, with the caller's own credentials; only then
 * may the caller share a pull under way, or what is there already.
 */
async function pullReference(
  context: PullContext,
  reference: Reference,
  options: ReferenceOptions,
): Promise<ImageRecord> {
  const rule = await context.trust.ruleFor(reference);
  const isSigned = signedRequirements(rule, formatReference(reference)).length > 0;
  const pull = await preparePull(context, reference, options);
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const top = await firstOf(
    pull.sessions.filter(({ endpoint }) => (reference.digest === undefined ? endpoint.resolve : endpoint.pull)),
    `pull ${pull.what}`,
    {
      attempt: (session) => session.fetchManifest(wanted),
      patience: pull.patience,
      signal: options.signal,
    },
  );
  const { from, id } = isSigned
    ? await trustedManifest(pull, top, { rule, signal: options.signal })
    : { from: top, id: undefined };
  options.onFetch?.(top.digest);
  const tags = reference.digest === undefined ? [pull.what] : [];
  return nameContent(
    pull,
    { tags, digests: [`${pull.name}@${top.digest}`] },
    () => knownContent(context, top.digest, id) ?? shareFetch(pull, { digest: top.digest, from }, options.signal),
  );
}

/** Gets an image's content and names it; its layers are kept meanwhile, whatever else is removed. */
async function nameContent(
  { images, layers, what }: Pull,
  names: ImageNames,
  get: () => ImageContent | Promise<ImageContent>,
): Promise<ImageRecord> {
  const owner = newOwner();
  try {
    const content = await get();
    layers.retain(owner, content.chain);
    if (!content.chain.every((chainId) => layers.has(chainId)))
      throw unavailable(`${what} was removed while it was pulled`);
    return await images.add(content, names);
  } finally {
    layers.release(owner);
  }
}

/** The digest that stands for an image, and the document that its manifest is found from. */
interface Wanted {
  readonly digest: string;
  readonly from: FetchedManifest;
}

/**
 * The manifest for this machine, once its signatures are what the rule asks for: of an index, not the index but the manifest
 * must be signed, as containers' tools have it. Each caller's name is checked, for images that are here already, too.
 */
async function trustedManifest(
  pull: Pull,
  top: FetchedManifest,
  { rule, signal = new AbortController().signal }: { readonly rule: Rule; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly from: FetchedManifest; readonly id: string }> {
  try {
    const { manifest, document } = await findManifest(pull, top, signal);
    const image = { reference: pull.sources.reference, digest: document.digest };
    await checkTrust(pull, { rule, image, signal });
    return { from: document, id: idOf(manifest, document) };
  } catch (error) {
    // A refusal says itself of what.
    throw hasCode(error, 'signature-validation-failed') ? error : wrapError(error, `pull ${pull.what}`);
  }
}

interface Checked {
  readonly rule: Rule;
  readonly image: SignedImage;
  readonly signal: AbortSignal;
}

/** Signatures of each kind are where those who make them keep them: beside the image, or beside its registry. */
async function checkTrust(pull: Pull, { rule, image, signal }: Checked): Promise<void> {
  const asked = { rule, image };
  if (SIGSTORE_SIGNED.requirements(rule, pull.what).length > 0)
    await checkFetched(image.digest, { ...pull, signal }, (found) => checkSigned(SIGSTORE_SIGNED, asked, found));
  if (SIGNED_BY.requirements(rule, pull.what).length === 0) return;
  const base = await pull.lookaside.baseFor(image.reference);
  await checkSigned(SIGNED_BY, asked, await fetchSignatures({ base, ...image }, { http: pull.http, signal }));
}

/** An artifact's id is its manifest's digest: configurations of artifacts are often the same empty one. */
function idOf({ artifact, config }: Manifest, { digest }: FetchedManifest): string {
  return artifact === undefined ? config.digest : digest;
}

function shareFetch(pull: Pull, wanted: Wanted, signal: AbortSignal | undefined): Promise<ImageContent> {
  const fetch = (shared: AbortSignal): Promise<ImageContent> => fetchImage(withSignal(pull, shared), wanted, shared);
  return pull.flights.join(wanted.digest, fetch, signal);
}

async function preparePull(context: PullContext, reference: Reference, options: ReferenceOptions): Promise<Pull> {
  const helpers = await context.registries.credentialHelpers();
  const store = await credentialChain({ authFiles: context.authFiles, helpers, first: options.podAuth });
  const sources: CredentialSources = { reference, auth: options.auth, store };
  const endpoints = await context.registries.endpointsFor(reference);
  const common = { http: context.http, image: reference, signal: options.signal };
  const sessions = endpoints.map(
    (endpoint) =>
      new RegistrySession(endpoint, { ...common, authorize: authorizer(endpoint, { ...context, sources }) }),
  );
  return { ...context, sources, sessions, what: formatReference(reference), name: nameOf(reference) };
}

/** A pull that others share must not end with the signal of the one who began it. */
function withSignal(pull: Pull, signal: AbortSignal): Pull {
  return { ...pull, sessions: pull.sessions.map((session) => session.withSignal(signal)) };
}

/**
 * The image, if what the digest stands for is here already: a digest never changes its meaning.
 * @param id of the image whose signatures were checked: whatever the store has, no other passes for it
 */
function knownContent({ images }: PullContext, digest: string, id?: string): ImageContent | undefined {
  const known = images.list().find(({ repoDigests }) => repoDigests.some((name) => name.endsWith(`@${digest}`)));
  return id === undefined || known?.id === id ? known : undefined;
}

let counter = 0;
const newOwner = (): string => `pull:${counter++}`;

async function fetchImage(pull: Pull, wanted: Wanted, signal: AbortSignal): Promise<ImageContent> {
  const owner = newOwner();
  const started = performance.now();
  try {
    const { manifest, document, chosen } = await findManifest(pull, wanted.from, signal);
    const fetchLayer = (layer: Descriptor, unpack: Unpack, flight: AbortSignal): Promise<Unpacked> =>
      fetchBlob(layer, { ...pull, sessions: pullable(pull), use: unpack, signal: flight });
    const parts = { ...pull, progressKey: wanted.digest, manifest, fetchLayer, owner, signal, chosen };
    const content =
      manifest.artifact === undefined
        ? await installImage({ ...parts, configJson: await fetchConfig(pull, manifest.config, signal) })
        : await installArtifact({ ...parts, id: idOf(manifest, document) });
    await pull.images.add(content, { tags: [], digests: [`${pull.name}@${wanted.digest}`] });
    pull.logger.info({ image: pull.what, id: content.id, ms: Math.round(performance.now() - started) }, 'image pulled');
    return content;
  } catch (error) {
    throw wrapError(error, `pull ${pull.what}`);
  } finally {
    pull.layers.release(owner);
  }
}

type Unpack = (source: AsyncIterable<Uint8Array>) => Promise<Unpacked>;

function findManifest(pull: Pull, top: FetchedManifest, signal: AbortSignal): Promise<FoundManifest<FetchedManifest>> {
  const { what, patience } = pull;
  return followIndexes(top, {
    parse: ({ text, mediaType, digest }) => parseManifest(text, mediaType, `manifest ${digest}`),
    get: ({ digest }) => {
      const attempt = (session: RegistrySession): Promise<FetchedManifest> => session.fetchManifest(digest);
      return firstOf(pullable(pull), `manifest ${digest}`, { attempt, patience, signal });
    },
    what,
  });
}

async function fetchConfig(pull: Pull, config: Descriptor, signal: AbortSignal): Promise<string> {
  const what = `configuration ${config.digest}`;
  if (config.size > MAX_CONFIG) throw dataLoss(`${what} has ${config.size} bytes, more than ${MAX_CONFIG}`);
  const use = async (source: AsyncIterable<Uint8Array>): Promise<string> => {
    const bytes = await readLimited(source, config.size, what);
    const digest = digestOf(bytes, config.digest);
    if (digest !== config.digest) throw dataLoss(`${what} has the digest ${digest}`);
    const text = bytes.toString('utf8');
    await checkBigDocument(text, what);
    return text;
  };
  return fetchBlob(config, { ...pull, sessions: pullable(pull), use, signal });
}

function pullable(pull: Pull): RegistrySession[] {
  return pull.sessions.filter(({ endpoint }) => endpoint.pull);
}
