import { invalidArgument } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { execSync as exec } from '../container/exec-sync.js';
import { required, toNumber } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const execSync =
  ({ containers }: RuntimeServiceContext): Handler<'ExecSync'> =>
  async ({ containerId, cmd, timeout }, { signal }) => {
    if (cmd.length === 0) throw invalidArgument('cmd is empty');
    const timeoutSeconds = toNumber(timeout, 'timeout');
    if (timeoutSeconds < 0) throw invalidArgument(`timeout is negative: ${timeoutSeconds}`);
    const request = { containerId: required(containerId, 'container_id'), command: cmd, timeoutSeconds };
    return exec(containers, request, signal);
  };
