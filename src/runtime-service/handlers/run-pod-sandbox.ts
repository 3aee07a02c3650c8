import { canonicalDigest } from '../../base/digest.js';
import { runSandbox } from '../../sandbox/run.js';
import type { Handler } from '../../server/handlers.js';
import { toSandboxConfig } from '../convert/sandbox-config.js';
import type { RuntimeServiceContext } from './context.js';

export const runPodSandbox =
  ({ sandboxes }: RuntimeServiceContext): Handler<'RunPodSandbox'> =>
  async (request) => {
    const config = toSandboxConfig(request.config, request.runtimeHandler);
    return { podSandboxId: await runSandbox(sandboxes, config, canonicalDigest(config)) };
  };
