import { BufferReader } from 'protobufjs/minimal.js';

/** Reads a message and knows whether a text of it has a NUL; then {@link findNul} tells which. */
export class NulNotingReader extends BufferReader {
  hasNul = false;

  override stringVerify(): string {
    const text = super.stringVerify();
    if (text.includes('\0')) this.hasNul = true;
    return text;
  }
}

/**
 * The field of a decoded message, as the protocol spells it (`config.mounts[0].host_path`), whose text has a NUL: no path,
 * name, argument or variable of this system can have one. Bytes are not looked at.
 */
export function findNul(value: unknown, field = ''): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? field : undefined;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  if (Array.isArray(value)) return firstOf(value.map((item, index) => [item, `${field}[${index}]`] as const));
  if (isMap(value)) return inMap(value, field);
  const prefix = field === '' ? '' : `${field}.`;
  return firstOf(Object.entries(value).map(([name, item]) => [item, `${prefix}${protocolName(name)}`] as const));
}

/** Messages have a class each, and maps none. */
function isMap(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function inMap(map: object, field: string): string | undefined {
  const entries = Object.entries(map);
  if (entries.some(([key]) => key.includes('\0'))) return `a key of ${field}`;
  return firstOf(entries.map(([key, item]) => [item, `${field}[${JSON.stringify(key)}]`] as const));
}

function firstOf(items: readonly (readonly [value: unknown, field: string])[]): string | undefined {
  for (const [value, field] of items) {
    const found = findNul(value, field);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Generated code has `hostPath` for `host_path`, and `CDIDevices` for `CDI_devices`. */
function protocolName(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]|(?<=[A-Z])[A-Z](?=[a-z])/g, (letter) => `_${letter.toLowerCase()}`);
}
