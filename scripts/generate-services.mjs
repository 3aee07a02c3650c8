// Prints the table of a proto file's RPCs as TypeScript: node generate-services.mjs FILE.proto
// Plain JavaScript, because it runs before anything is compiled.
import process from 'node:process';
import protobuf from 'protobufjs';

const HEADER = `// Generated from api.proto; do not edit.
import { runtime } from './api.cjs';

/** Every RPC by name, with its path on the wire and the classes of its messages. */
export const RPCS = {`;

const root = protobuf.loadSync(process.argv[2]).resolveAll();
const services = listServices(root);
const methods = services.flatMap((service) => service.methodsArray.map((method) => ({ service, method })));

const lines = [
  HEADER,
  ...methods.map(tableEntry),
  '} as const;',
  '',
  '/** What each RPC takes and gives; a streaming RPC gives any number of responses. */',
  'export interface RpcTypes {',
  ...methods.map(typeEntry),
  '}',
  '',
  'export type RpcName = keyof RpcTypes;',
  '',
];
process.stdout.write(lines.join('\n'));

function listServices(namespace) {
  return namespace.nestedArray.flatMap((item) => {
    if (item instanceof protobuf.Service) return [item];
    return item instanceof protobuf.Namespace ? listServices(item) : [];
  });
}

function tableEntry({ service, method }) {
  const fields = [
    `service: '${service.name}'`,
    `path: '/${service.fullName.slice(1)}/${method.name}'`,
    `request: ${method.resolvedRequestType.fullName.slice(1)}`,
    `response: ${method.resolvedResponseType.fullName.slice(1)}`,
    `streams: ${Boolean(method.responseStream)}`,
  ];
  if (method.requestStream) throw new Error(`${method.fullName}: client streaming is not supported`);
  return `  ${method.name}: { ${fields.join(', ')} },`;
}

function typeEntry({ method }) {
  const request = method.resolvedRequestType.fullName.slice(1);
  const response = `${method.resolvedResponseType.parent.fullName.slice(1)}.I${method.resolvedResponseType.name}`;
  return `  ${method.name}: { request: ${request}; response: ${response}; streams: ${Boolean(method.responseStream)} };`;
}
