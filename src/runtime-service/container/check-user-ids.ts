import { invalidArgument, unstartable } from '../../base/errors.js';
import { hasId, lastId, type IdMapping, type IdMappings } from '../../base/id-mapping.js';
import type { OciUser } from '../../oci/spec/types.js';
import type { SecurityConfig } from './types.js';

/**
 * No process can have an id that its user namespace lacks; a runtime only says that an argument is invalid.
 * @throws invalid-argument for an id that the request asks for; unstartable for one that the image has.
 */
export function checkUserIds(
  { uid, gid, additionalGids = [] }: OciUser,
  where: {
    readonly asked: Pick<SecurityConfig, 'uid' | 'gid' | 'supplementalGroups'>;
    readonly userns: IdMappings | undefined;
  },
): void {
  const { asked, userns } = where;
  if (userns === undefined) return;
  check(userns.uid, { name: 'user', id: uid, ofRequest: asked.uid === uid });
  for (const id of [gid, ...additionalGids])
    check(userns.gid, { name: 'group', id, ofRequest: asked.gid === id || asked.supplementalGroups.includes(id) });
}

function check(
  mapping: IdMapping,
  { name, id, ofRequest }: { readonly name: 'user' | 'group'; readonly id: number; readonly ofRequest: boolean },
): void {
  if (hasId(mapping, id)) return;
  const range = `${mapping.containerId} to ${lastId(mapping)}`;
  const text = `${name} ${id} is not in the user namespace of the pod, which has the ids from ${range}`;
  throw ofRequest ? invalidArgument(text) : unstartable(text);
}
