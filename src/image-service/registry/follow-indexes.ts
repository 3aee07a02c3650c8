import { dataLoss } from '../../base/errors.js';
import type { Index, IndexEntry, Manifest } from './manifest.js';
import { choosePlatform } from './platform.js';

/** How deep indexes may lie in each other. */
const MAX_NESTING = 4;

export interface FoundManifest<Document> {
  readonly manifest: Manifest;
  /** What it was read from. */
  readonly document: Document;
  /** An index named its platform. */
  readonly chosen: boolean;
}

export interface IndexReader<Document> {
  readonly get: (entry: IndexEntry) => Promise<Document>;
  readonly parse: (document: Document) => Index | Manifest;
  /** Names the image in errors. */
  readonly what: string;
}

/**
 * Follows indexes from a document to the manifest for this machine.
 * @throws not-found where there is none; data-loss where there is no end
 */
export async function followIndexes<Document>(
  top: Document,
  { get, parse, what }: IndexReader<Document>,
): Promise<FoundManifest<Document>> {
  let [document, chosen] = [top, false];
  for (let depth = 0; depth < MAX_NESTING; depth++) {
    const found = parse(document);
    if (found.kind === 'manifest') return { manifest: found, document, chosen };
    const entry = choosePlatform(found, what);
    chosen ||= entry.platform !== undefined;
    document = await get(entry);
  }
  throw dataLoss(`${what}: indexes lie more than ${MAX_NESTING} deep in each other`);
}
