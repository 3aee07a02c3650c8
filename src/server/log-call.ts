import type { RpcName } from '../../api/cri/generated/services.js';
import { cut } from '../base/cut.js';
import { codeOf, describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { RequestScope } from '../base/request-scope.js';
import type { RunningCall } from './calls.js';

/** RPCs that change nothing, and ExecSync, by which kubelet probes every second: their success is not news. */
const QUIET = /^(List|Stream|Get|Version$|Status$|RuntimeConfig$|ImageFsInfo$|ExecSync$)|(Status|Stats)$/;

/** What all lines of a call carry: its id, its RPC and the objects that the request names. */
export function callScope(call: RunningCall, request: object): RequestScope {
  return { requestId: call.id, rpc: call.rpc, ...subjectOf(request) };
}

export function logDone(logger: Logger, call: RunningCall): void {
  const level = isQuiet(call.rpc) ? 'debug' : 'info';
  logger[level]({ ms: elapsed(call) }, 'rpc done');
}

/** What the caller did or what it must live with is a warning; what we broke is an error, with a stack if it is a bug. */
export function logFailed(logger: Logger, call: RunningCall, error: unknown): void {
  const code = codeOf(error);
  const fields = { ms: elapsed(call), code: code ?? 'internal', error: describeError(error) };
  if (code === undefined) logger.error({ ...fields, stack: stackOf(error) }, 'rpc failed');
  else if (code === 'internal' || code === 'data-loss') logger.error(fields, 'rpc failed');
  else logger.warn(fields, 'rpc failed');
}

export function isQuiet(rpc: RpcName): boolean {
  return QUIET.test(rpc);
}

/** What is longer than an id is none, and each line of the call would have it. */
const MAX_ID = 128;

function subjectOf(request: object): { sandbox?: string; container?: string } {
  return {
    ...('podSandboxId' in request && request.podSandboxId !== '' && { sandbox: idOf(request.podSandboxId) }),
    ...('containerId' in request && request.containerId !== '' && { container: idOf(request.containerId) }),
  };
}

function idOf(value: unknown): string {
  return cut(String(value), MAX_ID);
}

function elapsed(call: RunningCall): number {
  return Math.round((performance.now() - call.startedAt) * 10) / 10;
}

function stackOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'stack' in error ? String(error.stack) : describeError(error);
}
