import type { RpcName, RpcTypes } from '../../api/cri/generated/services.js';
import { TestClient } from '../../src/server/testing.js';
import type { House } from './house.js';
import { patience } from './settings.js';

type Request<Name extends RpcName> = Partial<RpcTypes[Name]['request']>;
type Response<Name extends RpcName> = Required<RpcTypes[Name]['response']>;

/**
 * Calls an RPC as kubelet does, for what crictl has no command for or does not send.
 * @throws grpc-js' ServiceError
 */
export async function callCri<Name extends RpcName>(
  house: House,
  rpc: Name,
  request: Request<Name>,
): Promise<Response<Name>> {
  const client = new TestClient(house.scratch.socket);
  try {
    return await client.call(rpc, request, { deadline: Date.now() + patience(60_000) });
  } finally {
    client.close();
  }
}
