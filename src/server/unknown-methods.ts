import { status, type handleBidiStreamingCall, type Server } from '@grpc/grpc-js';

type Bytes = Buffer;
/** What grpc-js keeps for a method. */
interface Registered {
  readonly func: handleBidiStreamingCall<Bytes, Bytes>;
  readonly serialize: (bytes: Bytes) => Bytes;
  readonly deserialize: (bytes: Bytes) => Bytes;
  readonly type: 'bidi';
  readonly path: string;
}
interface Retrieving {
  _retrieveHandler(path: string): object | null;
}

/**
 * Has a server say of methods that it does not have what Go's servers say: clients of CRI know a runtime that lacks one by
 * these words. Nothing of grpc-js' public interface comes before its own answer.
 */
export function answerUnknownMethods(server: Server): void {
  const own = server as unknown as Retrieving;
  const retrieve = own._retrieveHandler.bind(server);
  const services = (): ReadonlySet<string> => servicesOf(server);
  own._retrieveHandler = (path) => retrieve(path) ?? refusing(path, services());
}

/** A method that streams both ways is answered at once, however its client calls it. */
function refusing(path: string, services: ReadonlySet<string>): Registered {
  const asIs = (bytes: Bytes): Bytes => bytes;
  const details = unknownMethod(path, services);
  return {
    func: (call) => void call.emit('error', { code: status.UNIMPLEMENTED, details }),
    ...{ serialize: asIs, deserialize: asIs, type: 'bidi', path },
  };
}

/** @param path `/service/method` */
export function unknownMethod(path: string, services: ReadonlySet<string>): string {
  const [, service, method] = /^\/?(.*)\/([^/]*)$/.exec(path) ?? [];
  if (service === undefined || method === undefined) return `malformed method name: ${JSON.stringify(path)}`;
  return services.has(service) ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
}

function servicesOf(server: Server): ReadonlySet<string> {
  const { handlers } = server as unknown as { readonly handlers: ReadonlyMap<string, unknown> };
  return new Set([...handlers.keys()].flatMap((path) => /^\/(.*)\/[^/]*$/.exec(path)?.[1] ?? []));
}
