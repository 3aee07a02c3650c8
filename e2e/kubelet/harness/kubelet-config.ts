import { join } from 'node:path';

import type { House } from '../../harness/house.js';
import { SETTINGS } from '../../harness/settings.js';
import type { ApiAccess } from './api-client.js';

/** Of kubelet's configuration (kubelet.config.k8s.io/v1beta1), over what the suites need. */
export type KubeletSettings = Readonly<Record<string, unknown>>;

export interface KubeletPlace {
  readonly house: House;
  /** Its own directory. */
  readonly dir: string;
  readonly port: number;
  readonly readOnlyPort: number;
}

/** The cgroup that kubelet makes its own below, the same in every hierarchy. */
export function kubeletCgroup({ scratch }: House): string {
  return join(scratch.cgroup, 'kubelet');
}

/** What lets it run beside whatever else the machine does; `settings` come over it. */
export function kubeletConfig({ house, dir, port, readOnlyPort }: KubeletPlace, settings: KubeletSettings): object {
  const endpoint = `unix://${house.scratch.socket}`;
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    ...{ address: '127.0.0.1', port, readOnlyPort, healthzPort: 0 },
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    ...{ containerRuntimeEndpoint: endpoint, imageServiceEndpoint: endpoint },
    ...{ podLogsDir: house.scratch.logs, volumePluginDir: join(dir, 'volume-plugins') },
    ...{ cgroupDriver: SETTINGS.cgroupDriver, cgroupRoot: kubeletCgroup(house), failCgroupV1: false },
    ...{ enforceNodeAllocatable: [], evictionHard: {}, failSwapOn: false, oomScoreAdj: 0 },
    makeIPTablesUtilChains: false,
    // PLEG tells what it heard of from 4 on.
    logging: { verbosity: 4 },
    ...settings,
  };
}

/** YAML is a superset of JSON. */
export function kubeconfig({ url, token, ca }: ApiAccess): object {
  const data = Buffer.from(ca).toString('base64');
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'e2e', cluster: { server: url, 'certificate-authority-data': data } }],
    users: [{ name: 'e2e', user: { token } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: 'e2e' } }],
    'current-context': 'e2e',
  };
}
