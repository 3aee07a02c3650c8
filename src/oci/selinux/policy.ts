import { readIfExists } from '../../base/files.js';
import { parseLabel, type SelinuxLabels } from './label.js';

/** Where the kernel tells of SELinux, and the policy of its labels for containers. */
export interface SelinuxPlaces {
  /** selinuxfs. */
  readonly kernel: string;
  /** The daemon's own label. */
  readonly current: string;
  /** `SELINUXTYPE=` names the policy, whose files are beside this one. */
  readonly config: string;
  /** What container policies bring, before the policy's own `contexts/lxc_contexts`. */
  readonly contexts: string;
}

export const PLACES: SelinuxPlaces = {
  kernel: '/sys/fs/selinux',
  current: '/proc/self/attr/current',
  config: '/etc/selinux/config',
  contexts: '/usr/share/containers/selinux/contexts',
};

export type SelinuxMode = 'enforcing' | 'permissive' | 'off';

/** "off" without SELinux in the kernel, and without a policy: then every label is "kernel". */
export async function readMode({ kernel, current }: SelinuxPlaces): Promise<SelinuxMode> {
  const enforce = (await readIfExists(`${kernel}/enforce`))?.trim();
  if (enforce === undefined) return 'off';
  const own = (await readIfExists(current))?.replace(/[\0\n]+$/, '');
  if (own === undefined || own === 'kernel') return 'off';
  return enforce === '1' ? 'enforcing' : 'permissive';
}

/** The policy's labels for containers, and the file they are from. */
export interface StandardLabels extends SelinuxLabels {
  readonly file: string;
}

/** @returns text that says why there are none. */
export async function readStandardLabels({ contexts, config }: SelinuxPlaces): Promise<StandardLabels | string> {
  const type = parseAssignments((await readIfExists(config)) ?? '').get('SELINUXTYPE') ?? '';
  const ofPolicy = config.replace(/[^/]*$/, `${type}/contexts/lxc_contexts`);
  const files = [contexts, ...(type === '' ? [] : [ofPolicy])];
  for (const file of files) {
    const text = await readIfExists(file);
    if (text !== undefined) return readLabels(text, file);
  }
  return `the policy has no labels for containers: there is no ${files.join(', and no ')}`;
}

function readLabels(text: string, file: string): StandardLabels | string {
  const values = parseAssignments(text);
  const [process, mount] = [values.get('process'), values.get('file')];
  if (process === undefined || mount === undefined) return `${file} has no "process" or no "file"`;
  try {
    [process, mount].forEach(parseLabel);
  } catch {
    return `${file} has a label that is none`;
  }
  return { process, mount, file };
}

/** Lines `name = "value"`, with comments after `#` and `;`; the last of a name counts. */
export function parseAssignments(text: string): Map<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const [, name, value = ''] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value.replace(/^"(.*)"$/, '$1')] as const];
  });
  return new Map(lines);
}
