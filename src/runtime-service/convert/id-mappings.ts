import type { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument } from '../../base/errors.js';
import type { IdMapping, IdMappings } from '../../base/id-mapping.js';

type Ranges = readonly runtime.v1.IIDMapping[] | null | undefined;

/** Exactly one range of uids and one of gids; undefined where there is none of either. @throws invalid-argument */
export function toIdMappings(
  ranges: { readonly uids: Ranges; readonly gids: Ranges },
  names: { readonly uids: string; readonly gids: string },
): IdMappings | undefined {
  const uids = ranges.uids ?? [];
  const gids = ranges.gids ?? [];
  if (uids.length + gids.length === 0) return undefined;
  return { uid: oneRange(uids, names.uids), gid: oneRange(gids, names.gids) };
}

const ALL_IDS = 2 ** 32;

function oneRange(ranges: readonly runtime.v1.IIDMapping[], field: string): IdMapping {
  const [range] = ranges;
  if (range === undefined || ranges.length > 1)
    throw invalidArgument(`${field} must have exactly one mapping, not ${ranges.length}`);
  const { containerId, hostId, length } = range;
  const mapping = { containerId: containerId ?? 0, hostId: hostId ?? 0, length: length ?? 0 };
  if (mapping.length === 0) throw invalidArgument(`${field} maps no ids: its length is 0`);
  // The last id of 32 bits means "none".
  if (Math.max(mapping.hostId, mapping.containerId) + mapping.length >= ALL_IDS)
    throw invalidArgument(`${field} goes past the last id`);
  return mapping;
}
