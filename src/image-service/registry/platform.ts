import { notFound } from '../../base/errors.js';
import type { Index, IndexEntry, Platform } from './manifest.js';

/** Go's names of the architectures that Node runs on, which images use. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };

/** Variants that run on a machine of the architecture, best first. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  arm: ['v7', '', 'v6', 'v5'],
  arm64: ['v8', ''],
  amd64: ['', 'v1'],
};

export const HOST_ARCHITECTURE = ARCHITECTURES[process.arch] ?? process.arch;

/**
 * Picks the manifest for this machine. An entry that names no platform fits, but only if none does by name.
 * @throws not-found naming what there is instead.
 */
export function choosePlatform(index: Index, what: string, architecture = HOST_ARCHITECTURE): IndexEntry {
  const variants = VARIANTS[architecture] ?? [''];
  for (const variant of variants) {
    const entry = index.entries.find(({ platform }) => platform !== undefined && fits(platform, architecture, variant));
    if (entry !== undefined) return entry;
  }
  const unnamed = index.entries.find(({ platform }) => platform === undefined);
  if (unnamed !== undefined) return unnamed;
  const found = index.entries.map(({ platform }) => `${platform?.os ?? ''}/${platform?.architecture ?? ''}`);
  throw notFound(`${what} has no image for linux/${architecture}, only ${found.slice(0, 20).join(', ') || 'nothing'}`);
}

function fits(given: Platform, architecture: string, variant: string): boolean {
  const platform = normalize(given);
  return platform.os === 'linux' && platform.architecture === architecture && platform.variant === variant;
}

/** True for what an image's configuration says of an image that runs here; a label that says nothing fits. */
export function runsHere({ os, architecture }: Pick<Platform, 'os' | 'architecture'>): boolean {
  const own = { os: os || 'linux', architecture: architecture || HOST_ARCHITECTURE };
  const platform = normalize({ ...own, variant: '' });
  return platform.os === 'linux' && platform.architecture === HOST_ARCHITECTURE;
}

/** Other names of an architecture, with the variant that they stand for: those that containerd takes. */
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386'],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/** A platform in the names that {@link VARIANTS} has: whoever writes by hand writes `x86_64`, `AMD64` or the variant `8`. */
function normalize({ os, architecture, variant }: Platform): Platform {
  const given = architecture.toLowerCase();
  const [name, standsFor] = ALIASES[given] ?? [given];
  const chosen = (standsFor ?? variant).toLowerCase();
  const numbered = name.startsWith('arm') && /^\d/.test(chosen) ? `v${chosen}` : chosen;
  return { os: os.toLowerCase(), architecture: name, variant: numbered };
}
