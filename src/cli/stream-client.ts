import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';

import { unavailable } from '../base/errors.js';
import type { AdminCall } from './admin-client.js';

/** What the daemon sends in the course of a call: bytes, or an object. */
export type AdminMessage = Buffer | Readonly<Record<string, unknown>>;

const MAX_MESSAGE_BYTES = 16 << 20;

/** Calls a stream of the daemon's own service; no more is read than is asked for. Leaving the loop ends the call. */
export async function* streamAdmin({ address, method, request, timeoutMs }: AdminCall): AsyncGenerator<AdminMessage> {
  const options = { 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES };
  const client = new Client(`unix:${address.replace(/^unix:(\/\/)?/, '')}`, credentials.createInsecure(), options);
  const encode = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const asIs = (bytes: Buffer): Buffer => bytes;
  const path = `/gantry.v1.Admin/${method}`;
  const call = client.makeServerStreamRequest(path, encode, asIs, request, new Metadata(), {
    deadline: Date.now() + timeoutMs,
  });
  try {
    for await (const bytes of call as AsyncIterable<Buffer>) yield decode(bytes);
  } catch (error) {
    const { details, code } = error as ServiceError;
    throw unavailable(details || status[code], error);
  } finally {
    call.cancel();
    client.close();
  }
}

/** A zero byte, which no JSON begins with, says that bytes follow. */
function decode(bytes: Buffer): AdminMessage {
  return bytes[0] === 0 ? bytes.subarray(1) : (JSON.parse(bytes.toString()) as Record<string, unknown>);
}
