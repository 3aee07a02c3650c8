import { status, type ServiceError } from '@grpc/grpc-js';

import { unavailable } from '../base/errors.js';

/** grpc-js' own words, in place of a status: which of them depends on what it saw first of the connection's end. */
const UNANSWERED = /^(Connection dropped$|Received RST_STREAM with code |(read|write) (ECONNRESET|EPIPE)$)/;

/** What a call to the daemon failed with, in the daemon's own words: grpc-js' message would only say them again. */
export function callError(error: unknown, address: string): Error {
  const { details, code } = error as ServiceError;
  const why = details || status[code] || String(error);
  if (UNANSWERED.test(why)) return unavailable(`the daemon at ${address} ended before it answered`);
  return unavailable(why.startsWith('No connection established') ? unanswered(address, why) : why);
}

function unanswered(address: string, why: string): string {
  const reason = /Last error: (?:Error: )?(.*?)\.? Resolution note/.exec(why)?.[1];
  return `no daemon answers at ${address}${reason === undefined ? '' : `: ${reason}`}`;
}
