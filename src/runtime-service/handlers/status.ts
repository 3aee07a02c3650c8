import type { Handler } from '../../server/handlers.js';
import type { HandlerStatus, RuntimeServiceContext } from './context.js';

export const status =
  ({ node }: RuntimeServiceContext): Handler<'Status'> =>
  async ({ verbose }) => {
    const network = node.network();
    const handlers = await node.handlers();
    const conditions = [
      { type: 'RuntimeReady', status: true, reason: '', message: '' },
      { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
    ];
    const info = { ...node.info(), handlers: Object.fromEntries(handlers.map(({ name, served }) => [name, served])) };
    const texts = Object.entries(info).map(([name, value]) => [name, JSON.stringify(value)] as const);
    return {
      status: { conditions },
      runtimeHandlers: handlers.map(toHandler),
      features: { supplementalGroupsPolicy: true },
      info: verbose ? Object.fromEntries(texts) : {},
    };
  };

function toHandler({ name, served }: HandlerStatus) {
  const features = {
    recursiveReadOnlyMounts: served.recursiveReadOnly === '',
    userNamespaces: served.userNamespaces === '',
  };
  return { name, features };
}
