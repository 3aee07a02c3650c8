import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists, removeTree } from '../../base/files.js';
import { parseAuthFile, type AuthFile } from './auth-file.js';
import { nameOf, parseReference } from './reference.js';

/** Whose pull it is, and of what. */
export interface NamespacedPull {
  /** Of the pod; empty if it is not known. */
  readonly namespace: string;
  /** As it was asked for. */
  readonly image: string;
}

/**
 * Takes the credentials that were left for one pull by a pod of a namespace, in `<namespace>-<sha256 of registry/repository>.json`:
 * so crio-credential-provider leaves them when kubelet asks it, right before the pull. They are gone from the disk then, whatever
 * becomes of the pull.
 * @throws failed-precondition naming the file if it is malformed or cannot be taken; invalid-argument for the image
 */
export async function takeNamespacedAuth(
  directory: string,
  { namespace, image }: NamespacedPull,
): Promise<AuthFile | undefined> {
  if (directory === '' || !isFileName(namespace)) return undefined;
  const name = createHash('sha256')
    .update(nameOf(parseReference(image)))
    .digest('hex');
  const path = join(directory, `${namespace}-${name}.json`);
  const text = await readConfigIfExists(path);
  if (text === undefined) return undefined;
  try {
    await removeTree(path);
  } catch (error) {
    throw failedPrecondition(`the credentials in ${path} cannot be taken`, error);
  }
  return parseAuthFile(text, path);
}

/** Namespaces of Kubernetes are DNS labels (RFC 1123); other callers' are theirs, but lead nowhere else. */
function isFileName(namespace: string): boolean {
  return namespace.length > 0 && namespace.length <= 128 && !/[/\0]/.test(namespace);
}
