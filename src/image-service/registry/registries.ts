import { describeError } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import { readCertsDir } from './certs-dir.js';
import { AUTH_FILES } from './credential-chain.js';
import { serverOf, upstreamsOf, type Endpoint } from './endpoint.js';
import { parseHostsFile } from './hosts-file.js';
import { findHostsFile } from './hosts.js';
import { formatReference, isShortName, parseReference, type Reference } from './reference.js';
import { readRegistriesConf, ruleFor, type RegistriesConf } from './registries-conf.js';
import { refuseBlocked, ruleEndpoints } from './rule-endpoints.js';
import { shortNameReferences } from './short-names.js';

export interface RegistriesOptions {
  /** Directories with a `hosts.toml` a registry. */
  readonly hostsDirs: readonly string[];
  /** Directories with certificates a host. */
  readonly certsDirs?: readonly string[];
  /** The path of registries.conf. */
  readonly registriesConf?: string;
  readonly logger: Logger;
}

const NO_CONF: RegistriesConf = {
  rules: [],
  search: [],
  shortNames: 'permissive',
  credentialHelpers: [AUTH_FILES],
  aliases: new Map(),
};

/** Where images are pulled from. The files are read anew at each pull, so that changes need no restart. */
export class Registries {
  readonly #options: RegistriesOptions;
  readonly #told = new Set<string>();
  /** As it was read last, for questions that cannot wait. */
  #last = NO_CONF;

  constructor(options: RegistriesOptions) {
    this.#options = options;
  }

  /** Reads registries.conf, for {@link localNames}; what is wrong with it is only logged. */
  async refresh(): Promise<void> {
    await this.#conf().catch((error: unknown) =>
      this.#options.logger.warn({ error: describeError(error) }, 'no image can be pulled until this is mended'),
    );
  }

  /** The names under which an image that was pulled by `image` may be in the store. */
  localNames(image: string): string[] {
    const isName = image !== '' && !/^(?:sha256:)?[0-9a-f]+$/.test(image) && isShortName(image);
    if (!isName) return [image];
    return shortNameReferences(image, { ...this.#last, shortNames: 'permissive' }).map(formatReference);
  }

  /** See {@link RegistriesConf.credentialHelpers}. */
  async credentialHelpers(): Promise<readonly string[]> {
    return (await this.#conf()).credentialHelpers;
  }

  /** The complete references that an image's name may stand for, in the order of preference; several only for short names. */
  async references(image: string): Promise<Reference[]> {
    const reference = parseReference(image);
    return isShortName(image) ? shortNameReferences(image, await this.#conf()) : [reference];
  }

  /**
   * The servers to ask for an image, in order. A `hosts.toml` that speaks of the registry wins over registries.conf, whose
   * blocks hold in any case; without either, the registry itself by https.
   * @throws permission-denied for a blocked image; failed-precondition naming a malformed file
   */
  async endpointsFor(reference: Reference): Promise<Endpoint[]> {
    const { hostsDirs } = this.#options;
    const rule = ruleFor((await this.#conf()).rules, formatReference(reference));
    if (rule !== undefined) refuseBlocked(rule, reference);
    const hosts = await findHostsFile(reference.registry, hostsDirs);
    if (hosts !== undefined) {
      const found = await parseHostsFile(hosts);
      if (rule === undefined) return found;
      this.#tellConflict(reference.registry, hosts.file, rule.file);
      return found.map((endpoint) => ({ ...endpoint, why: `${hosts.file}, which wins over ${rule.file}` }));
    }
    const endpoints = rule === undefined ? upstreamsOf(reference.registry) : ruleEndpoints(rule, reference);
    return Promise.all(endpoints.map((endpoint) => this.#withCertificates(endpoint, reference)));
  }

  /** Docker's and containers' directories go by the name that people use, Docker Hub's too. */
  async #withCertificates(endpoint: Endpoint, { registry }: Reference): Promise<Endpoint> {
    const { hostsDirs, certsDirs = [] } = this.#options;
    const host = endpoint.role === 'upstream' ? registry : serverOf(endpoint);
    const found = await readCertsDir(host, [...hostsDirs, ...certsDirs]);
    return found === undefined ? endpoint : { ...endpoint, tls: { ...endpoint.tls, ...found } };
  }

  async #conf(): Promise<RegistriesConf> {
    const { registriesConf } = this.#options;
    if (registriesConf !== undefined) this.#last = await readRegistriesConf(registriesConf);
    return this.#last;
  }

  #tellConflict(registry: string, hosts: string, conf: string): void {
    const key = `${registry} ${hosts} ${conf}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#options.logger.warn(
      { registry, used: hosts, ignored: conf },
      'two files speak of a registry: hosts.toml wins',
    );
  }
}
