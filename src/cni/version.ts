/**
 * Versions of the CNI specification that are spoken here, lowest first. 0.1.0 and 0.2.0 are not: their results
 * know one address a family and no interfaces.
 */
export const CNI_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

/** The highest version spoken here among those offered, as section 1 "version considerations" has it. */
export function selectVersion(offered: readonly string[]): CniVersion | undefined {
  return CNI_VERSIONS.findLast((version) => offered.includes(version));
}

/** True if `version` is `since` or later. */
export function atLeast(version: CniVersion, since: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(since);
}
