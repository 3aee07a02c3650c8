import { status } from '@grpc/grpc-js';

import { cut } from '../base/cut.js';
import { codeFor, describeError, type ErrorCode } from '../base/errors.js';

/** The one place where our codes become gRPC's; a code that is missing here does not compile. */
const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  'failed-precondition': status.FAILED_PRECONDITION,
  'permission-denied': status.PERMISSION_DENIED,
  unauthenticated: status.UNAUTHENTICATED,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  'data-loss': status.DATA_LOSS,
  internal: status.INTERNAL,
  unstartable: status.FAILED_PRECONDITION,
  // kubelet looks for its own names of errors at the start of messages, and only where the status is Unknown (cri-client, PullImage).
  'signature-validation-failed': status.UNKNOWN,
};

/** What kubelet finds its own errors by (k8s.io/cri-api, pkg/errors). */
const KUBELET_NAME: Partial<Record<ErrorCode, string>> = {
  'signature-validation-failed': 'SignatureValidationFailed: ',
};

/**
 * The message travels percent-encoded in a header block, and some clients take no more than 8 KiB of headers in all (gRPC's own
 * core does): a longer one would break the call, and with it the word on what was wrong.
 */
const MAX_ENCODED_DETAILS = 6 * 1024;

export interface CallStatus {
  readonly code: status;
  readonly details: string;
}

/** The status that a call ends with; an error without a code is a bug of ours, and reads as INTERNAL. */
export function toStatus(error: unknown): CallStatus {
  const code = codeFor(error);
  return { code: STATUS_OF[code], details: sendable(`${KUBELET_NAME[code] ?? ''}${describeError(error)}`) };
}

/** Bounded, and without the lone surrogates that percent-encoding throws on: messages quote hostile input. */
function sendable(text: string): string {
  for (let limit = MAX_ENCODED_DETAILS; ; limit = Math.floor(limit * 0.75)) {
    const short = wellFormed(cut(text, limit));
    if (encodeURI(short).length <= MAX_ENCODED_DETAILS) return short;
  }
}

function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
