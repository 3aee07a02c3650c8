import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { describeError, failedPrecondition } from '../base/errors.js';
import { readIfExists, readText } from '../base/files.js';
import type { Logger } from '../base/log.js';
import { runOk } from '../base/spawn.js';
import { DEFAULT_NAME, defaultProfile } from './apparmor-profile.js';
import type { SecurityProfile } from './security-profile.js';

/** Where the kernel tells of AppArmor, and the program that loads profiles into it. */
export interface AppArmorPlaces {
  readonly enabled: string;
  /** The loaded profiles, a line each: `name (enforce)`. */
  readonly profiles: string;
  readonly parser: string;
}

const PLACES: AppArmorPlaces = {
  enabled: '/sys/module/apparmor/parameters/enabled',
  profiles: '/sys/kernel/security/apparmor/profiles',
  parser: '/sbin/apparmor_parser',
};

const PARSER_MS = 60_000;

/** AppArmor on this node. */
export class AppArmor {
  readonly #places: AppArmorPlaces;
  readonly #available: boolean;
  /** Why the default profile cannot be had; empty where it can. */
  #trouble = '';
  #loading: Promise<void> | undefined;

  private constructor(places: AppArmorPlaces, available: boolean) {
    this.#places = places;
    this.#available = available;
  }

  /** Loads the default profile anew where the kernel has AppArmor: an older version's may be there. */
  static async open(logger: Logger, places = PLACES): Promise<AppArmor> {
    const enabled = (await readIfExists(places.enabled))?.startsWith('Y') ?? false;
    const own = new AppArmor(places, enabled && existsSync(places.profiles));
    if (own.#available)
      await own.#load().catch((error: unknown) => logger.warn({ error: describeError(error) }, 'no AppArmor default'));
    return own;
  }

  /** For people who look. */
  describe(): { readonly available: boolean; readonly runtimeDefault: string } {
    const standard = this.#available ? this.#trouble || DEFAULT_NAME : 'the kernel has no AppArmor';
    return { available: this.#available, runtimeDefault: standard };
  }

  /**
   * The profile for a process; undefined for none. Where none is named, the default counts if this node can have it, and
   * the privileged have none unless they name one (Kubernetes, AppArmor).
   * @throws failed-precondition naming a profile that is not loaded, or why there is none.
   */
  async profileFor(profile: SecurityProfile | undefined, privileged: boolean): Promise<string | undefined> {
    if (profile?.type === 'unconfined') return undefined;
    if (profile?.type === 'localhost') return this.#loaded(profile.ref);
    if (privileged) return undefined;
    if (profile === undefined && (!this.#available || !existsSync(this.#places.parser))) return undefined;
    return this.#standard();
  }

  async #loaded(name: string): Promise<string> {
    this.#mustBeAvailable(name);
    if (await this.#has(name)) return name;
    throw failedPrecondition(`AppArmor profile "${name}" is not loaded`);
  }

  /** Loaded again where somebody has removed it. */
  async #standard(): Promise<string> {
    this.#mustBeAvailable(DEFAULT_NAME);
    if (!(await this.#has(DEFAULT_NAME))) await this.#load();
    return DEFAULT_NAME;
  }

  #mustBeAvailable(name: string): void {
    if (!this.#available)
      throw failedPrecondition(`AppArmor profile "${name}" is asked for, and this kernel has no AppArmor`);
  }

  async #has(name: string): Promise<boolean> {
    const lines = (await readText(this.#places.profiles)).split('\n');
    return lines.some((line) => line.startsWith(`${name} (`));
  }

  /** Many containers may want it at once. */
  async #load(): Promise<void> {
    this.#loading ??= this.#parse().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #parse(): Promise<void> {
    try {
      const text = defaultProfile(await ownProfile());
      // Neither read nor write its cache, and replace what is loaded.
      await runOk(this.#places.parser, ['-K', '-r'], { stdin: text, timeoutMs: PARSER_MS });
      this.#trouble = '';
    } catch (error) {
      this.#trouble = describeError(error);
      throw failedPrecondition(`cannot load AppArmor profile "${DEFAULT_NAME}"`, error);
    }
  }
}

/** What this daemon itself is confined by: `name (enforce)` or `unconfined`. */
async function ownProfile(): Promise<string> {
  const text = await readFile('/proc/self/attr/current', 'latin1').catch(() => '');
  const name = text.replace(/[\0\n]+$/, '').replace(/ \(\w+\)$/, '');
  return /^[\w./:-]+$/.test(name) ? name : 'unconfined';
}
