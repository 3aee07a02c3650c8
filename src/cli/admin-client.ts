import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';

import { unavailable } from '../base/errors.js';

export interface AdminCall {
  /** `/path` or `unix:///path` of the daemon's socket. */
  readonly address: string;
  readonly method: string;
  readonly request: object;
  readonly timeoutMs: number;
}

/** Calls the daemon's own service, JSON in and out, on the socket that CRI is served on. */
export async function callAdmin({ address, method, request, timeoutMs }: AdminCall): Promise<unknown> {
  const client = new Client(`unix:${address.replace(/^unix:(\/\/)?/, '')}`, credentials.createInsecure());
  const encode = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const decode = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  try {
    return await new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, answer?: unknown): void =>
        error === null ? resolve(answer) : reject(unavailable(error.details, error));
      const options = { deadline: Date.now() + timeoutMs };
      client.makeUnaryRequest(`/gantry.v1.Admin/${method}`, encode, decode, request, new Metadata(), options, done);
    });
  } finally {
    client.close();
  }
}
