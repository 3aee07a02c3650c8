import { internal } from '../../base/errors.js';

/** A security context: `user:role:type[:level]`; the level is empty where the policy has none. */
export interface SelinuxLabel {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** What a request sets of a label (CRI SELinuxOption); what is empty it leaves as it is. */
export type SelinuxOptions = SelinuxLabel;

/** The labels of a container's processes and of the files that it has for itself. */
export interface SelinuxLabels {
  readonly process: string;
  readonly mount: string;
}

/** @throws internal for what is no label. */
export function parseLabel(text: string): SelinuxLabel {
  const [user = '', role = '', type = ''] = text.split(':', 3);
  if (user === '' || role === '' || type === '') throw internal(`"${text}" is no SELinux label`);
  return { user, role, type, level: text.slice(`${user}:${role}:${type}:`.length) };
}

export function formatLabel({ user, role, type, level }: SelinuxLabel): string {
  return `${user}:${role}:${type}${level === '' ? '' : `:${level}`}`;
}

/**
 * The standard labels of the policy with a level, as far as it has levels, and what the request sets. Files get the
 * request's user and level, but never its role or type, which are for processes.
 */
export function chooseLabels(standard: SelinuxLabels, options: SelinuxOptions, level: string): SelinuxLabels {
  const [process, file] = [parseLabel(standard.process), parseLabel(standard.mount)];
  const leveled = process.level === '' ? options.level : options.level || level;
  return {
    process: formatLabel({
      user: options.user || process.user,
      role: options.role || process.role,
      type: options.type || process.type,
      level: leveled,
    }),
    mount: formatLabel({ ...file, user: options.user || file.user, level: leveled }),
  };
}

const CATEGORIES = 'c\\d{1,4}(\\.c\\d{1,4})?(,c\\d{1,4}(\\.c\\d{1,4})?)*';
const LEVEL = new RegExp(`^s\\d{1,2}(:${CATEGORIES})?(-s\\d{1,2}(:${CATEGORIES})?)?$`);

/** What is wrong with options: the name of the first field that cannot be part of a label. */
export function badOption({ user, role, type, level }: SelinuxOptions): keyof SelinuxOptions | undefined {
  for (const [name, value] of Object.entries({ user, role, type } as const))
    if (!/^[\w.-]*$/.test(value)) return name as keyof SelinuxOptions;
  return level === '' || LEVEL.test(level) ? undefined : 'level';
}
