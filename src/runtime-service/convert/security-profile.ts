import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument } from '../../base/errors.js';
import type { SecurityProfile } from '../../oci/security-profile.js';
import { fromEnum } from './values.js';

const { ProfileType } = runtime.v1.SecurityProfile;

export interface ProfileRequest {
  readonly profile: runtime.v1.ISecurityProfile | null | undefined;
  /** The deprecated text form, which counts only where `profile` is absent. */
  readonly old: string | null | undefined;
  readonly field: string;
  readonly oldField: string;
}

/** @throws invalid-argument naming the field. */
export function toSecurityProfile({ profile, old, field, oldField }: ProfileRequest): SecurityProfile | undefined {
  return profile ? fromMessage(profile, field) : fromText(old ?? '', oldField);
}

function fromMessage({ profileType, localhostRef }: runtime.v1.ISecurityProfile, field: string): SecurityProfile {
  // Some clients write the prefix of the old form.
  if (profileType === ProfileType.Localhost) return localhost((localhostRef ?? '').replace(PREFIX, ''), field);
  if (localhostRef) throw invalidArgument(`${field}.localhost_ref is set, but profile_type is not Localhost`);
  return { type: fromEnum(PLAIN, profileType, `${field}.profile_type`) };
}

const PLAIN = { [ProfileType.RuntimeDefault]: 'runtime-default', [ProfileType.Unconfined]: 'unconfined' } as const;

const PREFIX = /^localhost\//;

/** `unconfined`, `runtime/default`, its older name `docker/default`, or `localhost/<name>`. */
function fromText(text: string, field: string): SecurityProfile | undefined {
  if (text === '') return undefined;
  if (text === 'unconfined') return { type: 'unconfined' };
  if (text === 'runtime/default' || text === 'docker/default') return { type: 'runtime-default' };
  if (PREFIX.test(text)) return localhost(text.replace(PREFIX, ''), field);
  throw invalidArgument(`${field} is no profile: "${text}"`);
}

function localhost(ref: string, field: string): SecurityProfile {
  if (ref === '' || ref.includes('\0')) throw invalidArgument(`${field} names no local profile`);
  return { type: 'localhost', ref };
}
