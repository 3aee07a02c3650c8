/** A range of ids of a user namespace, as CRI's IDMapping has it. */
export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}

/** Whose ids on the host a user namespace, or an idmapped mount, shows: one range of each kind. */
export interface IdMappings {
  readonly uid: IdMapping;
  readonly gid: IdMapping;
}

/** The range in the OCI configuration's form (runtime-spec, config-linux.md, "User namespace mappings"). */
export function ociMapping({ containerId, hostId, length }: IdMapping): {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
} {
  return { containerID: containerId, hostID: hostId, size: length };
}

export function sameMappings(a: IdMappings | undefined, b: IdMappings | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return sameMapping(a.uid, b.uid) && sameMapping(a.gid, b.gid);
}

function sameMapping(a: IdMapping, b: IdMapping): boolean {
  return a.containerId === b.containerId && a.hostId === b.hostId && a.length === b.length;
}
