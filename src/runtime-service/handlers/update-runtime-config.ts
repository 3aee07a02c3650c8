import type { Handler } from '../../server/handlers.js';

/**
 * kubelet hands over the node's pod CIDR here. Pods get their addresses from the CNI configuration, which is the
 * cluster network's own business, so there is nothing to update.
 */
export const updateRuntimeConfig =
  (): Handler<'UpdateRuntimeConfig'> =>
  ({ runtimeConfig }, { logger }) => {
    const podCidr = runtimeConfig?.networkConfig?.podCidr ?? '';
    logger.info({ podCidr }, 'the pod CIDR is left to the CNI configuration');
    return Promise.resolve({});
  };
