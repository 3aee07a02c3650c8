import { describeError, internal } from '../../../src/base/errors.js';
import { openHouse, type House } from '../../harness/house.js';
import { waitFor } from '../../harness/wait.js';
import { startApiServer } from './api-server.js';
import type { KubeletSettings } from './kubelet-config.js';
import { startKubelet, type Kubelet } from './kubelet.js';
import { deletePods, type NodeOfCluster } from './pods.js';

/** A node of a cluster: gantryd on scratch directories, a kubelet that it serves, and the API server that this one asks. */
export interface Node extends NodeOfCluster {
  readonly house: House;
  readonly kubelet: Kubelet;
  /** Deletes the pods, stops everything and checks that nothing is left on the machine. */
  close(): Promise<void>;
}

/** @param settings of kubelet's configuration, over the usual ones */
export async function openNode(settings?: KubeletSettings): Promise<Node> {
  const house = await openHouse();
  const opened: Undo[] = [() => house.close()];
  try {
    return await furnish(house, opened, settings);
  } catch (error) {
    // Whatever it says is left is swept by then, and is not what went wrong.
    await closeAll(opened).catch(() => undefined);
    throw error;
  }
}

type Undo = () => Promise<void>;

async function furnish(house: House, opened: Undo[], settings: KubeletSettings = {}): Promise<Node> {
  const server = await startApiServer(house.scratch);
  opened.push(() => server.stop());
  const { network: name } = house.scratch;
  const kubelet = await startKubelet(house, { access: server.access, name, settings });
  opened.push(() => kubelet.stop());
  const node = { name, house, api: server.client, kubelet, close: () => closeAll(opened) };
  opened.push(() => deletePods(node));
  await waitFor('ready node', 60_000, async () => ((await isReady(node)) ? true : undefined));
  return node;
}

/** The last first; what fails keeps none of the others from its turn. */
async function closeAll(opened: readonly Undo[]): Promise<void> {
  const problems: string[] = [];
  for (const undo of [...opened].reverse()) await undo().catch((error: unknown) => problems.push(describeError(error)));
  if (problems.length > 0) throw internal(problems.join('\n'));
}

interface NodeObject {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function isReady({ api, name }: Node): Promise<boolean> {
  const { status } = (await api.get(`/api/v1/nodes/${name}`)) as NodeObject;
  return status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
}
