import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

import { RPCS, type RpcName, type RpcTypes } from '../../api/cri/generated/services.js';

type UnaryName = { [Name in RpcName]: RpcTypes[Name]['streams'] extends true ? never : Name }[RpcName];
/** A message class as protobufjs makes it, when the RPC's name is known only at run time. */
interface Message {
  encode(value: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

/** A client of gantryd's socket. */
export class CriClient {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure());
  }

  /** Calls an RPC of CRI; rejects with grpc-js's error. */
  async call<Name extends UnaryName>(
    name: Name,
    request: Partial<RpcTypes[Name]['request']>,
  ): Promise<RpcTypes[Name]['response']> {
    const { path } = RPCS[name];
    const types = RPCS[name] as unknown as { request: Message; response: Message };
    const answer = await this.#send(path, Buffer.from(types.request.encode(request).finish()));
    return types.response.decode(answer);
  }

  /** Calls the daemon's own service. */
  async admin(name: string, request: object): Promise<unknown> {
    const answer = await this.#send(`/gantry.v1.Admin/${name}`, Buffer.from(JSON.stringify(request)));
    return JSON.parse(answer.toString()) as unknown;
  }

  close(): void {
    this.#client.close();
  }

  #send(path: string, request: Buffer): Promise<Buffer> {
    const asIs = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, value?: Buffer): void =>
        error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no answer'));
      this.#client.makeUnaryRequest(path, asIs, asIs, request, done);
    });
  }
}
