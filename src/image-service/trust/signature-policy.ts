import { failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import type { Reference } from '../registry/reference.js';
import { parsePolicy, ruleForPath, ruleForReference, type Policy, type Rule } from './policy.js';

const ANYTHING: Rule = { requirements: [], from: 'no policy' };

/** The policy file, read anew for each image, so that a change needs no restart. Without one, any image may be stored. */
export class SignaturePolicy {
  readonly #path: string | undefined;
  #seen = false;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** @throws failed-precondition naming what is wrong in the file: then no image is stored until it is mended */
  async ruleFor(reference: Reference): Promise<Rule> {
    const policy = await this.read();
    return policy === undefined ? ANYTHING : ruleForReference(policy, reference);
  }

  /** The rule for images in a file or directory, by the kind of what is in it: `oci`, `oci-archive`, `docker-archive`. */
  async ruleForFile(transport: string, path: string): Promise<Rule> {
    const policy = await this.read();
    return policy === undefined ? ANYTHING : ruleForPath(policy, transport, path);
  }

  /** A file that was there and is not any more must not let in what it kept out. */
  async read(): Promise<Policy | undefined> {
    if (this.#path === undefined) return undefined;
    const text = await readConfigIfExists(this.#path);
    if (text !== undefined) {
      this.#seen = true;
      return parsePolicy(text, this.#path);
    }
    if (this.#seen) throw failedPrecondition(`the signature policy ${this.#path} is gone, so no image can be stored`);
    return undefined;
  }
}
