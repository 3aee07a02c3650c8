import { constants } from 'node:os';

import { invalidArgument } from '../../../base/errors.js';
import { ACTIONS, ARCHITECTURES, FLAGS, OPERATORS } from './profile.js';
import type { ArchitectureEntry, SeccompArg, SeccompCondition, SeccompProfile, SeccompRule } from './profile.js';
import { Fields, type Complain } from './fields.js';

/**
 * Reads a profile of either form: runtime-spec's `linux.seccomp`, or Docker's. What a runtime would skip or misread is an
 * error: a misspelt `args` would let every call of that name pass.
 * @param file named in errors.
 * @throws invalid-argument naming file and field.
 */
export function parseProfile(text: string, file: string): SeccompProfile {
  const complain: Complain = (field, wrong) => invalidArgument(`seccomp profile ${file}: ${field}${wrong}`);
  const profile = readProfile(new Fields(parseJson(text, file), '', complain));
  if (profile.archMap !== undefined && (profile.architectures ?? []).length > 0)
    throw complain('architectures', ' and archMap cannot both be set');
  return profile;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`seccomp profile ${file} is not JSON`, error);
  }
}

function readProfile(fields: Fields): SeccompProfile {
  const defaultAction = fields.oneOf('defaultAction', ACTIONS);
  const rest = {
    ...readErrno(fields, 'defaultErrnoRet', 'defaultErrno'),
    ...fields.optional('architectures', () => fields.allOf('architectures', ARCHITECTURES)),
    ...fields.optional('archMap', () => fields.objects('archMap').map(readArchitecture)),
    ...fields.optional('flags', () => fields.allOf('flags', FLAGS)),
    ...fields.optional('listenerPath', () => fields.text('listenerPath')),
    ...fields.optional('listenerMetadata', () => fields.text('listenerMetadata')),
  };
  const syscalls = fields.has('syscalls') ? fields.objects('syscalls').map(readRule) : [];
  fields.end();
  return { defaultAction, ...rest, syscalls };
}

/** The kernel's largest (MAX_ERRNO). */
const MAX_ERRNO = 4095;
const MAX_ARGUMENT = 5;

function readArchitecture(fields: Fields): ArchitectureEntry {
  const found = {
    architecture: fields.oneOf('architecture', ARCHITECTURES),
    ...fields.optional('subArchitectures', () => fields.allOf('subArchitectures', ARCHITECTURES)),
  };
  fields.end();
  return found;
}

/** An error's number, or its name, which containers-common writes beside it. */
function readErrno<Field extends string>(
  fields: Fields,
  number: Field,
  name: string,
): { readonly [N in Field]?: number } {
  if (fields.has(number)) {
    fields.ignore(name);
    return fields.optional(number, () => fields.integer(number, MAX_ERRNO));
  }
  if (!fields.has(name)) return {};
  const found = Object.entries(constants.errno).find(([known]) => known === fields.text(name));
  if (found === undefined) throw fields.wrong(name, ` has the unknown value "${fields.text(name)}"`);
  return { [number]: found[1] } as { [N in Field]: number };
}

/** `name` is the older form of `names`. */
function readRule(fields: Fields): SeccompRule {
  const names = fields.has('names') ? fields.texts('names') : [fields.text('name')];
  if (fields.has('names')) fields.ignore('name');
  if (names.length === 0) throw fields.wrong('names', ' is empty');
  const rule = {
    names,
    action: fields.oneOf('action', ACTIONS),
    ...readErrno(fields, 'errnoRet', 'errno'),
    ...fields.optional('args', () => fields.objects('args').map(readArg)),
    ...fields.optional('includes', () => readCondition(fields.object('includes'))),
    ...fields.optional('excludes', () => readCondition(fields.object('excludes'))),
  };
  fields.end();
  return rule;
}

function readArg(fields: Fields): SeccompArg {
  const arg = {
    index: fields.integer('index', MAX_ARGUMENT),
    value: fields.integer('value', Number.MAX_SAFE_INTEGER),
    ...fields.optional('valueTwo', () => fields.integer('valueTwo', Number.MAX_SAFE_INTEGER)),
    op: fields.oneOf('op', OPERATORS),
  };
  fields.end();
  return arg;
}

function readCondition(fields: Fields): SeccompCondition {
  const condition = {
    ...fields.optional('caps', () => fields.texts('caps')),
    ...fields.optional('arches', () => fields.texts('arches')),
    ...fields.optional('minKernel', () => fields.matching('minKernel', /^\d+\.\d+$/)),
  };
  fields.end();
  return condition;
}
