import { join } from 'node:path';

import { readText } from '../base/files.js';
import type { OciSpec } from './spec/types.js';

/**
 * The OCI configuration of a bundle, as the runtime got it; undefined where there is none, or what there is cannot be
 * read: it is told to people, or one way among others, and nothing may fail for it.
 */
export async function readBundleSpec(bundle: string): Promise<OciSpec | undefined> {
  try {
    const value: unknown = JSON.parse(await readText(join(bundle, 'config.json')));
    return isSpec(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSpec(value: unknown): value is OciSpec {
  const { process, linux } = (value ?? {}) as Record<string, unknown>;
  if (!isObject(process) || !isObject(linux)) return false;
  const { resources, namespaces } = linux as Record<string, unknown>;
  return isObject(resources) && Array.isArray(namespaces);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
