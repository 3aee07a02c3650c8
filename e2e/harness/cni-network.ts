import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Scratch } from './scratch.js';

/** Writes the suite's CNI network: a bridge with host-local addresses and port mapping, as clusters have it. */
export async function writeCniNetwork(scratch: Scratch): Promise<void> {
  await writeFile(join(scratch.cniConf, '10-e2e.conflist'), JSON.stringify(conflist(scratch), undefined, 2));
}

function conflist({ network, bridge, ipam, subnet }: Scratch): object {
  const hostLocal = {
    type: 'host-local',
    dataDir: ipam,
    ranges: [[{ subnet: `${subnet}.0/24` }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return {
    cniVersion: '1.0.0',
    name: network,
    plugins: [
      { type: 'bridge', bridge, isGateway: true, ipMasq: true, hairpinMode: true, ipam: hostLocal },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}
