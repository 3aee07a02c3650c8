import { randomBytes } from 'node:crypto';

/** A new sandbox or container id: 64 lower-case hexadecimal characters, as the peers have them. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** True for what {@link newId} makes; ids become path names, so nothing else is accepted from disk. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
