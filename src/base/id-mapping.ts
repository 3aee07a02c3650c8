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

/** A user namespace that is there, by the path where it is pinned. */
export interface UserNamespace extends IdMappings {
  readonly path: string;
}

/** The range in the OCI configuration's form (runtime-spec, config-linux.md, "User namespace mappings"). */
export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** Both lists of ranges of an OCI configuration, of the container or of a mount; nothing without mappings. */
export function ociMappings(mappings: IdMappings | undefined): {
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
} {
  if (mappings === undefined) return {};
  return { uidMappings: [ociMapping(mappings.uid)], gidMappings: [ociMapping(mappings.gid)] };
}

function ociMapping({ containerId, hostId, length }: IdMapping): OciIdMapping {
  return { containerID: containerId, hostID: hostId, size: length };
}

/** The line of /proc/<pid>/uid_map or gid_map (user_namespaces(7)). */
export function mapLine({ containerId, hostId, length }: IdMapping): string {
  return `${containerId} ${hostId} ${length}\n`;
}

const OVERFLOW_ID = 65_534;

/** An id on the host of what is `id` in the namespace; nobody's for one that it does not have. */
export function toHostId(mapping: IdMapping, id: number): number {
  return hasId(mapping, id) ? mapping.hostId + id - mapping.containerId : OVERFLOW_ID;
}

/** Whether a namespace has the id: what it lacks can neither be a process's nor be given to a file in it. */
export function hasId(mapping: IdMapping, id: number): boolean {
  return id >= mapping.containerId && id <= lastId(mapping);
}

export function lastId({ containerId, length }: IdMapping): number {
  return containerId + length - 1;
}

/** A user of the namespace by its ids on the host; without a namespace of its own they are the same. */
export function toHostUser({ uid, gid }: HostUser, userns: IdMappings | undefined): HostUser {
  return userns === undefined ? { uid, gid } : { uid: toHostId(userns.uid, uid), gid: toHostId(userns.gid, gid) };
}

interface HostUser {
  readonly uid: number;
  readonly gid: number;
}

export function sameMappings(a: IdMappings, b: IdMappings): boolean {
  return sameMapping(a.uid, b.uid) && sameMapping(a.gid, b.gid);
}

function sameMapping(a: IdMapping, b: IdMapping): boolean {
  return a.containerId === b.containerId && a.hostId === b.hostId && a.length === b.length;
}
