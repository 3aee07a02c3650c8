import type { Handler } from '../../server/handlers.js';
import type { Condition, HandlerStatus, RuntimeServiceContext } from './context.js';

export const status =
  ({ node }: RuntimeServiceContext): Handler<'Status'> =>
  async ({ verbose }) => {
    const handlers = await node.handlers();
    const conditions = [toCondition('RuntimeReady', await node.runtime()), toCondition('NetworkReady', node.network())];
    const info = { ...node.info(), handlers: Object.fromEntries(handlers.map(({ name, served }) => [name, served])) };
    const texts = Object.entries(info).map(([name, value]) => [name, JSON.stringify(value)] as const);
    return {
      status: { conditions },
      runtimeHandlers: handlers.map(toHandler),
      features: {
        supplementalGroupsPolicy: true,
        userNamespacesHostNetwork: handlers.some(({ served }) => served.userNamespaces === ''),
      },
      info: verbose ? Object.fromEntries(texts) : {},
    };
  };

function toCondition(type: string, { ready, reason, message }: Condition) {
  return { type, status: ready, reason, message };
}

function toHandler({ name, served }: HandlerStatus) {
  const features = {
    recursiveReadOnlyMounts: served.recursiveReadOnly === '',
    userNamespaces: served.userNamespaces === '',
  };
  return { name, features };
}
