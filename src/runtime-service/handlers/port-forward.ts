import { failedPrecondition, invalidArgument } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

/** Each takes two channels of a WebSocket, which has 255. */
const MAX_PORTS = 127;

export const portForward =
  ({ sandboxes, streaming }: RuntimeServiceContext): Handler<'PortForward'> =>
  async ({ podSandboxId, port: ports }) => {
    const { record, status } = sandboxes.store.find(required(podSandboxId, 'pod_sandbox_id'));
    if (ports.length > MAX_PORTS) throw invalidArgument(`${ports.length} ports, the limit is ${MAX_PORTS}`);
    const wrong = ports.find((port) => port < 1 || port > 65_535);
    if (wrong !== undefined) throw invalidArgument(`port ${wrong} is none`);
    if (status.state !== 'ready') throw failedPrecondition(`sandbox "${record.id}" is ${status.state}`);
    return { url: await streaming.urlFor({ kind: 'port-forward', sandboxId: record.id, ports }) };
  };
