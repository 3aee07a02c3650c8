import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument } from '../../base/errors.js';
import type { IdMappings } from '../../base/id-mapping.js';
import { toIdMappings } from './id-mappings.js';

const { NamespaceMode } = runtime.v1;
const FIELD = 'namespace_options.userns_options';

/**
 * The user namespace asked for: the node's, one with these mappings, or nothing said.
 * @throws invalid-argument for other modes, and for mappings that do not have exactly one range each from id 0 on.
 */
export function toUserns(options: runtime.v1.IUserNamespace | null | undefined): 'node' | IdMappings | undefined {
  if (!options) return undefined;
  const mappings = toIdMappings(
    { uids: options.uids, gids: options.gids },
    { uids: `${FIELD}.uids`, gids: `${FIELD}.gids` },
  );
  switch (options.mode ?? NamespaceMode.POD) {
    case NamespaceMode.NODE:
      if (mappings !== undefined)
        throw invalidArgument(`${FIELD} has mappings, which the node's namespace cannot have`);
      return 'node';
    case NamespaceMode.POD:
      return checked(mappings);
    default:
      throw invalidArgument(`${FIELD}.mode is ${String(options.mode)}: a pod has one of its own, or the node's`);
  }
}

function checked(mappings: IdMappings | undefined): IdMappings {
  if (mappings === undefined) throw invalidArgument(`${FIELD}.uids must have exactly one mapping, not 0`);
  if (mappings.uid.containerId !== 0 || mappings.gid.containerId !== 0)
    throw invalidArgument(`${FIELD} does not map id 0 of the pod, which root needs`);
  return mappings;
}

/** The mappings in CRI's form. */
export function fromMappings({ uid, gid }: IdMappings): {
  uids: runtime.v1.IIDMapping[];
  gids: runtime.v1.IIDMapping[];
} {
  return { uids: [uid], gids: [gid] };
}
