import type { ContainerContext } from '../../container/context.js';
import type { StreamingBackend } from '../types.js';
import { attach } from './attach.js';
import { AttachHubs } from './attach-hubs.js';
import { connect } from './connect.js';
import { exec } from './exec.js';

/** What the streaming server's clients get from containers and pods. */
export function createStreamingBackend(context: ContainerContext): StreamingBackend {
  const hubs = new AttachHubs();
  return {
    exec: (target, session) => exec(context, target, session),
    attach: (target, session) => attach({ containers: context, hubs }, target, session),
    connect: (target, port, signal) => connect(context, { sandboxId: target.sandboxId, port, signal }),
  };
}
