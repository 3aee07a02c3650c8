import { Metadata } from '@grpc/grpc-js';

import { adminClient, type AdminCall } from './admin-client.js';
import { callError } from './call-error.js';

/** What the daemon sends in the course of a call: bytes, or an object. */
export type AdminMessage = Buffer | Readonly<Record<string, unknown>>;

/** Calls a stream of the daemon's own service; no more is read than is asked for. Leaving the loop ends the call. */
export async function* streamAdmin(order: AdminCall): AsyncGenerator<AdminMessage> {
  const { method, request, timeoutMs } = order;
  const client = adminClient(order);
  const encode = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const asIs = (bytes: Buffer): Buffer => bytes;
  const path = `/gantry.v1.Admin/${method}`;
  const call = client.makeServerStreamRequest(path, encode, asIs, request, new Metadata(), {
    deadline: Date.now() + timeoutMs,
  });
  try {
    for await (const bytes of call as AsyncIterable<Buffer>) yield decode(bytes);
  } catch (error) {
    throw callError(error, order.address);
  } finally {
    call.cancel();
    client.close();
  }
}

/** A zero byte, which no JSON begins with, says that bytes follow. */
function decode(bytes: Buffer): AdminMessage {
  return bytes[0] === 0 ? bytes.subarray(1) : (JSON.parse(bytes.toString()) as Record<string, unknown>);
}
