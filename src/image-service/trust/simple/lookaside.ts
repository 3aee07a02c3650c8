import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { load } from 'js-yaml';

import { errnoOf, failedPrecondition } from '../../../base/errors.js';
import { readConfigIfExists } from '../../../base/files.js';
import { isObject, stringOf, type JsonObject } from '../../registry/json.js';
import type { Reference } from '../../registry/reference.js';
import { scopesOf } from '../policy.js';

/** Where signatures are that nobody has said the place of (containers-registries.d(5)). */
const DEFAULT_LOOKASIDE = 'file:///var/lib/containers/sigstore';

/** Where signatures of images are kept beside registries, as containers-registries.d(5) says it. */
export class Lookaside {
  readonly #directory: string;

  /** @param directory whose `*.yaml` say it; empty, or not there: nothing is said */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The address below which signatures of an image are. Files are read anew, so that a change needs no restart.
   * @throws failed-precondition naming a file that is malformed, or two that speak of the same images
   */
  async baseFor(reference: Reference): Promise<string> {
    const { places, standard } = await this.#read();
    const place = scopesOf(reference)
      .map((scope) => places.get(scope) ?? '')
      .find((base) => base !== '');
    return place ?? (standard || DEFAULT_LOOKASIDE);
  }

  async #read(): Promise<{ readonly places: ReadonlyMap<string, string>; readonly standard: string }> {
    const places = new Map<string, string>();
    const from = new Map<string, string>();
    let standard = '';
    for (const file of await this.#files()) {
      const { docker, 'default-docker': all } = await readYaml(file);
      for (const [scope, entry] of entriesOf(docker, `${file}: docker`)) {
        const other = from.get(scope);
        if (other !== undefined) throw failedPrecondition(`${other} and ${file} both speak of docker["${scope}"]`);
        from.set(scope, file);
        places.set(scope, baseOf(entry, `${file}: docker["${scope}"]`));
      }
      if (all !== undefined && all !== null) standard ||= baseOf(all, `${file}: default-docker`);
    }
    return { places, standard };
  }

  async #files(): Promise<string[]> {
    if (this.#directory === '') return [];
    try {
      const names = await readdir(this.#directory);
      return names
        .filter((name) => name.endsWith('.yaml'))
        .sort()
        .map((name) => join(this.#directory, name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw failedPrecondition(`${this.#directory} cannot be read`, error);
    }
  }
}

async function readYaml(file: string): Promise<JsonObject> {
  let value: unknown;
  try {
    value = load((await readConfigIfExists(file)) ?? '');
  } catch (error) {
    throw failedPrecondition(`${file} is not YAML`, error);
  }
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw failedPrecondition(`${file} is no map`);
}

function entriesOf(value: unknown, where: string): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (isObject(value)) return Object.entries(value);
  throw failedPrecondition(`${where} is no map`);
}

const PROTOCOLS = ['https:', 'http:', 'file:'];

/** `sigstore` is the name that `lookaside` had before. */
function baseOf(entry: unknown, where: string): string {
  if (!isObject(entry)) throw failedPrecondition(`${where} is no map`);
  const base = stringOf(entry['lookaside']) || stringOf(entry['sigstore']);
  if (base === '' || (URL.canParse(base) && PROTOCOLS.includes(new URL(base).protocol))) return base;
  throw failedPrecondition(`${where} has ${JSON.stringify(base)}, which is no address of https, http or file`);
}
