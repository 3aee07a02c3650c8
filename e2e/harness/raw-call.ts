import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

import type { House } from './house.js';

export interface RawStatus {
  readonly code: number;
  readonly message: string;
}

/**
 * Sends an empty message, in which every field is missing, and returns the status: clients check what they send, so
 * none of them shows what the server says to this. `method` is `/runtime.v1.RuntimeService/Version` and its like.
 */
export async function callEmpty(house: House, method: string): Promise<RawStatus> {
  const client = new Client(`unix://${house.scratch.socket}`, credentials.createInsecure());
  try {
    return await new Promise((resolve) => {
      const done = (error: ServiceError | null): void =>
        resolve(error === null ? { code: 0, message: '' } : { code: error.code, message: error.details });
      client.makeUnaryRequest(method, same, same, Buffer.alloc(0), done);
    });
  } finally {
    client.close();
  }
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
