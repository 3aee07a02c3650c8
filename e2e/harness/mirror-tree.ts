import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The registries whose images the local one has. */
export const MIRRORED = ['registry.k8s.io', 'k8s.gcr.io', 'gcr.io', 'ghcr.io'] as const;

/**
 * Writes one `<dir>/<host>/hosts.toml` a registry, which sends its pulls to the registry at `address`: there the
 * images have their full names, host included.
 */
export async function mirrorTree(dir: string, address: string, hosts: readonly string[] = MIRRORED): Promise<void> {
  for (const host of hosts) {
    await mkdir(join(dir, host), { recursive: true });
    await writeFile(join(dir, host, 'hosts.toml'), hostsToml(address, host));
  }
}

/** The local registry stands for the upstream one too (`server`), so that an unknown image asks no other network. */
function hostsToml(address: string, host: string): string {
  return `server = "http://${address}/v2/${host}"
override_path = true

[host."http://${address}/v2/${host}"]
  capabilities = ["pull", "resolve"]
  override_path = true
`;
}
