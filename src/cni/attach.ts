import { describeError, internal } from '../base/errors.js';
import type { AttachmentIntent, AttachmentRecord } from './attachment-store.js';
import { addChain, checkChain, delChain, type Attachment } from './chain.js';
import { isObject, type JsonObject } from './json.js';
import { netnsExists } from './netns-exists.js';
import type { PluginContext } from './run-plugin.js';

/**
 * Runs ADD for every attachment of a sandbox, one after another: section 3 of the specification forbids operations
 * side by side in one container, other interfaces included. Returns the results by interface name.
 */
export async function addAll(
  context: PluginContext,
  intent: AttachmentIntent,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const results: Record<string, JsonObject> = {};
  for (const { ifname, network } of intent.attachments) {
    results[ifname] = await addChain(context, toAttachment(intent, { ifname, network }), signal);
  }
  return results;
}

/**
 * Runs DEL for every attachment in reverse, with what ADD was given. A network that fails does not keep the others
 * from being left.
 * @throws internal naming every network that failed.
 */
export async function deleteAll(context: PluginContext, record: AttachmentRecord, signal?: AbortSignal): Promise<void> {
  const { intent, results } = record;
  const netnsPath = (await netnsExists(intent.netnsPath)) ? intent.netnsPath : '';
  const errors: unknown[] = [];
  for (const attachment of intent.attachments.toReversed()) {
    const target = toAttachment({ ...intent, netnsPath }, attachment);
    const options = { prevResult: resultOf(results, attachment.ifname), signal };
    await delChain(context, target, options).catch((error: unknown) => errors.push(error));
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw internal(errors.map(describeError).join('; '), errors[0]);
}

/** Runs CHECK for every attachment; throws what the first plugin that is not content says. */
export async function checkAll(context: PluginContext, record: AttachmentRecord, signal?: AbortSignal): Promise<void> {
  const { intent, results } = record;
  for (const attachment of intent.attachments) {
    const options = { prevResult: resultOf(results, attachment.ifname), signal };
    await checkChain(context, toAttachment(intent, attachment), options);
  }
}

function toAttachment(
  intent: AttachmentIntent,
  { ifname, network }: AttachmentIntent['attachments'][number],
): Attachment {
  const { sandboxId, netnsPath, args, capabilities } = intent;
  return { network, containerId: sandboxId, netnsPath, ifname, args, capabilities };
}

function resultOf(results: JsonObject, ifname: string): JsonObject | undefined {
  const result = results[ifname];
  return isObject(result) ? result : undefined;
}
