import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';

export const status =
  ({ node }: RuntimeServiceContext): Handler<'Status'> =>
  ({ verbose }) => {
    const network = node.network();
    const conditions = [
      { type: 'RuntimeReady', status: true, reason: '', message: '' },
      { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
    ];
    const info = Object.entries(node.info()).map(([name, value]) => [name, JSON.stringify(value)] as const);
    return Promise.resolve({
      status: { conditions },
      // "" stands for the default handler, see CRI RuntimeHandler.name.
      runtimeHandlers: ['', ...node.handlers].map((name) => ({ name, features: {} })),
      features: { supplementalGroupsPolicy: true },
      info: verbose ? Object.fromEntries(info) : {},
    });
  };
