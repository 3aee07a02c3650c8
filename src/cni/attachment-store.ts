import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { dataLoss, describeError, errnoOf, hasCode, invalidArgument, wrapError } from '../base/errors.js';
import { ensureDirectory, removeTemporaryFiles, readJson, removeTree, writeJson } from '../base/files.js';
import { isId } from '../base/ids.js';
import type { Logger } from '../base/log.js';
import { isObject, objectList, optionalString, type JsonObject } from './json.js';
import { parseNetworkConfig, type NetworkConfig } from './network-config.js';

/** What a sandbox's ADDs were, or are about to be: all that DEL and CHECK need to be given the same parameters. */
export interface AttachmentIntent {
  readonly sandboxId: string;
  readonly netnsPath: string;
  readonly args: string;
  readonly capabilities: JsonObject;
  /** Where the plugins were; absent in what older versions wrote. */
  readonly binDirs?: readonly string[];
  /** In the order of ADD. */
  readonly attachments: readonly { readonly ifname: string; readonly network: NetworkConfig }[];
}

/** An intent and the results of its attachments by interface name; one without a result may have been added in part. */
export interface AttachmentRecord {
  readonly intent: AttachmentIntent;
  readonly results: JsonObject;
}

const VERSION = 1;

/**
 * Attachments on disk, two files a sandbox: `<id>.json`, the intent, synced before the first ADD runs and never
 * changed, and `<id>.result.json`. A sandbox has a record as long as anything of it may be left in a network.
 */
export class AttachmentStore {
  readonly #directory: string;
  readonly #logger: Logger;

  private constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  static async open(directory: string, logger: Logger): Promise<AttachmentStore> {
    await ensureDirectory(directory);
    await removeTemporaryFiles(directory);
    return new AttachmentStore(directory, logger);
  }

  /** Writes the intent so that it survives a power cut. */
  async writeIntent(intent: AttachmentIntent): Promise<void> {
    await writeJson(this.#intentPath(intent.sandboxId), VERSION, intent, { fsync: true });
  }

  /** Adds the results; without them DEL still works, so they are not synced. */
  async writeResults(sandboxId: string, results: JsonObject): Promise<void> {
    await writeJson(this.#resultPath(sandboxId), VERSION, { results });
  }

  /**
   * A sandbox's record, or undefined if it has none.
   * @throws data-loss if the intent cannot be understood; {@link setAside} then moves it out of the way.
   */
  async read(sandboxId: string): Promise<AttachmentRecord | undefined> {
    const path = this.#intentPath(sandboxId);
    try {
      const intent = parseIntent(await readJson(path, VERSION), sandboxId);
      return { intent, results: await this.#readResults(sandboxId) };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw hasCode(error, 'invalid-argument') ? dataLoss(path, error) : wrapError(error, path);
    }
  }

  /** Removes a record: the result first, so that a crash between leaves an intent, which is deleted again. */
  async remove(sandboxId: string): Promise<void> {
    await removeTree(this.#resultPath(sandboxId));
    await removeTree(this.#intentPath(sandboxId));
  }

  /** Keeps an unreadable intent for people, under a name that is no record's. */
  async setAside(sandboxId: string): Promise<void> {
    const path = this.#intentPath(sandboxId);
    await rename(path, `${path}.corrupt`);
    await removeTree(this.#resultPath(sandboxId));
  }

  /** Ids of the sandboxes that have a record. */
  async list(): Promise<string[]> {
    const names = await readdir(this.#directory);
    return names
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .filter(isId);
  }

  async #readResults(sandboxId: string): Promise<JsonObject> {
    const path = this.#resultPath(sandboxId);
    try {
      const { results } = await readJson(path, VERSION);
      return isObject(results) ? results : {};
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') {
        this.#logger.warn({ sandboxId, error: describeError(error) }, 'cni result cannot be read, going on without it');
      }
      return {};
    }
  }

  #intentPath(sandboxId: string): string {
    return join(this.#directory, `${checkedId(sandboxId)}.json`);
  }

  #resultPath(sandboxId: string): string {
    return join(this.#directory, `${checkedId(sandboxId)}.result.json`);
  }
}

/** Ids become path names. */
function checkedId(sandboxId: string): string {
  if (!isId(sandboxId))
    throw invalidArgument(`sandbox id ${JSON.stringify(sandboxId)} is not 64 hexadecimal characters`);
  return sandboxId;
}

function parseIntent(value: JsonObject, sandboxId: string): AttachmentIntent {
  if (value['sandboxId'] !== sandboxId) throw invalidArgument('sandboxId is of another sandbox');
  const { capabilities, binDirs } = value;
  return {
    sandboxId,
    ...(isStrings(binDirs) ? { binDirs } : {}),
    netnsPath: optionalString(value['netnsPath'], 'netnsPath') ?? '',
    args: optionalString(value['args'], 'args') ?? '',
    capabilities: isObject(capabilities) ? capabilities : {},
    attachments: objectList(value['attachments'], 'attachments').map(parseAttachment),
  };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function parseAttachment(value: JsonObject): AttachmentIntent['attachments'][number] {
  const ifname = optionalString(value['ifname'], 'ifname');
  if (ifname === undefined || !isObject(value['network']))
    throw invalidArgument('an attachment has no ifname or network');
  return { ifname, network: parseNetworkConfig(value['network']) };
}
