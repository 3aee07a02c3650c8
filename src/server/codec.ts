import { RPCS, type RpcName } from '../../api/cri/generated/services.js';
import { invalidArgument, resourceExhausted } from '../base/errors.js';
import { findNul, NulNotingReader } from './find-nul.js';

/** Of requests and responses both; containerd's limit, which clients are set to. gRPC's own default is 4 MiB. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** What is used of a generated message class. */
interface MessageClass {
  decode(reader: NulNotingReader): object;
  encode(message: object): { finish(): Uint8Array };
}

/**
 * Decodes here and not in grpc-js, which would answer INTERNAL for bytes that are the client's fault.
 * @throws invalid-argument naming the RPC, or the field whose text has a NUL: no handler ever sees one
 */
export function decodeRequest(rpc: RpcName, bytes: Uint8Array): object {
  const reader = new NulNotingReader(bytes);
  const message = decode(rpc, reader);
  const field = reader.hasNul ? findNul(message) : undefined;
  if (field !== undefined) throw invalidArgument(`${field} has a NUL`);
  return message;
}

function decode(rpc: RpcName, reader: NulNotingReader): object {
  const request: MessageClass = RPCS[rpc].request;
  try {
    return request.decode(reader);
  } catch (error) {
    throw invalidArgument(`rpc ${rpc}: the request cannot be decoded`, error);
  }
}

/** @throws resource-exhausted if no client would accept the response */
export function encodeResponse(rpc: RpcName, message: object): Buffer {
  const response: MessageClass = RPCS[rpc].response;
  const bytes = isBytes(message) ? message : response.encode(message).finish();
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    throw resourceExhausted(
      `rpc ${rpc}: the response has ${bytes.byteLength} bytes, the limit is ${MAX_MESSAGE_BYTES}`,
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Of any realm, so not by `instanceof`. */
function isBytes(message: object): message is Uint8Array {
  return ArrayBuffer.isView(message);
}
