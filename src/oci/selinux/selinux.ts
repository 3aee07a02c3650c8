import { writeFile } from 'node:fs/promises';

import { describeError, errnoOf, failedPrecondition, invalidArgument } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import { chooseLabels, parseLabel, type SelinuxLabels, type SelinuxOptions } from './label.js';
import { PodLevels } from './levels.js';
import { PLACES, readMode, readStandardLabels, type SelinuxMode, type SelinuxPlaces } from './policy.js';

const NOTHING: SelinuxOptions = { user: '', role: '', type: '', level: '' };

interface Opened {
  readonly mode: SelinuxMode;
  /** Why no labels are set; empty where they are. */
  readonly without: string;
  readonly standard?: SelinuxLabels;
}

/** SELinux on this node: which labels processes and files of pods get. */
export class Selinux {
  readonly #places: SelinuxPlaces;
  readonly #logger: Logger;
  readonly #levels = new PodLevels();
  readonly #opened: Opened;

  private constructor(opened: Opened, places: SelinuxPlaces, logger: Logger) {
    this.#opened = opened;
    this.#places = places;
    this.#logger = logger;
  }

  /** @param wanted "off": no labels are set though the kernel has SELinux. */
  static async open(logger: Logger, wanted: 'auto' | 'off', places = PLACES): Promise<Selinux> {
    const opened = await look(wanted, places);
    if (opened.mode !== 'off' && opened.without !== '')
      logger.warn({ mode: opened.mode, reason: opened.without }, 'pods get no SELinux labels');
    return new Selinux(opened, places, logger);
  }

  /** For people who look. */
  describe(): { readonly mode: SelinuxMode; readonly labels: string } {
    const { mode, without, standard } = this.#opened;
    return { mode, labels: without || `${standard?.process ?? ''}, ${standard?.mount ?? ''}` };
  }

  /**
   * The labels of a new pod, with a level that no other has unless the request names one; undefined where no labels are set.
   * @param used labels of the pods that there are.
   * @throws invalid-argument for labels that the policy does not have; failed-precondition where it has none for containers.
   */
  async podLabels(
    options: SelinuxOptions | undefined,
    used: Iterable<SelinuxLabels>,
  ): Promise<SelinuxLabels | undefined> {
    const standard = this.#standardFor(options);
    if (standard === undefined) return undefined;
    const levels = new Set([...used].map(({ process }) => parseLabel(process).level));
    return this.#checked(chooseLabels(standard, options ?? NOTHING, this.#levels.take(levels)));
  }

  /** The same of a container: its pod's, or those that it asks for, with its pod's level unless it names one. */
  async containerLabels(
    options: SelinuxOptions | undefined,
    pod: SelinuxLabels | undefined,
  ): Promise<SelinuxLabels | undefined> {
    const standard = this.#standardFor(options);
    if (standard === undefined || pod === undefined || options === undefined)
      return standard === undefined ? undefined : pod;
    return this.#checked(chooseLabels(standard, options, parseLabel(pod.process).level));
  }

  #standardFor(options: SelinuxOptions | undefined): SelinuxLabels | undefined {
    const { mode, standard, without } = this.#opened;
    if (standard !== undefined || options === undefined) return standard;
    if (mode !== 'off') throw failedPrecondition(`SELinux options are asked for, and there are no labels: ${without}`);
    this.#logger.info({ reason: without }, 'the SELinux options of a request are ignored');
    return undefined;
  }

  /** selinuxfs takes every label that the loaded policy knows, and refuses the others. */
  async #checked(labels: SelinuxLabels): Promise<SelinuxLabels> {
    for (const label of [labels.process, labels.mount]) {
      try {
        await writeFile(`${this.#places.kernel}/context`, label, { flag: 'r+' });
      } catch (error) {
        if (errnoOf(error) === 'EINVAL') throw invalidArgument(`the SELinux policy does not know the label "${label}"`);
        throw failedPrecondition(`the SELinux label "${label}" cannot be checked: ${describeError(error)}`, error);
      }
    }
    return labels;
  }
}

async function look(wanted: 'auto' | 'off', places: SelinuxPlaces): Promise<Opened> {
  const mode = await readMode(places);
  if (mode === 'off') return { mode, without: 'the kernel has no SELinux, or no policy' };
  // Asked for nothing, refused nothing: as on a kernel without it.
  if (wanted === 'off') return { mode: 'off', without: 'runtime.selinux is off' };
  const standard = await readStandardLabels(places);
  return typeof standard === 'string' ? { mode, without: standard } : { mode, without: '', standard };
}

/**
 * Whose processes are not confined: the privileged's, and those of pods that see the node's processes or its memory,
 * unless they name a type.
 */
export function isUnconfined(
  pod: { readonly pid: string; readonly ipc: string },
  { privileged, options }: { readonly privileged: boolean; readonly options: SelinuxOptions | undefined },
): boolean {
  if (privileged) return true;
  return (pod.pid === 'node' || pod.ipc === 'node') && !options?.type;
}
