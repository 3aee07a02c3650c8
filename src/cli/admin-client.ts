import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';

import { callError } from './call-error.js';

export interface AdminCall {
  /** `/path` or `unix:///path` of the daemon's socket. */
  readonly address: string;
  readonly method: string;
  readonly request: object;
  readonly timeoutMs: number;
}

/** An image's configuration may have megabytes, and there may be many images. */
const MAX_MESSAGE_BYTES = 64 << 20;

export function adminClient({ address }: AdminCall): Client {
  const options = { 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES };
  return new Client(`unix:${address.replace(/^unix:(\/\/)?/, '')}`, credentials.createInsecure(), options);
}

/** Calls the daemon's own service, JSON in and out, on the socket that CRI is served on. */
export async function callAdmin(call: AdminCall): Promise<unknown> {
  const { method, request, timeoutMs } = call;
  const client = adminClient(call);
  const encode = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const decode = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  try {
    return await new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, answer?: unknown): void =>
        error === null ? resolve(answer) : reject(callError(error, call.address));
      const options = { deadline: Date.now() + timeoutMs };
      client.makeUnaryRequest(`/gantry.v1.Admin/${method}`, encode, decode, request, new Metadata(), options, done);
    });
  } finally {
    client.close();
  }
}
