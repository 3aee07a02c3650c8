import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/**
 * Carries bytes both ways until both directions have ended, each end handed on as a half-close. Where one side breaks, so does the other.
 * @returns when both are closed
 */
export async function join(client: Duplex, pod: Duplex): Promise<void> {
  pod.on('error', () => undefined);
  const closed = Promise.all([closeOf(client), closeOf(pod)]);
  client.on('close', () => breakOff(client, pod));
  pod.on('close', () => breakOff(pod, client));
  if (client.destroyed) pod.destroy();
  if (pod.destroyed) client.destroy();
  client.pipe(pod);
  pod.pipe(client);
  await closed;
}

/** What has ended in good order may leave the other with bytes to send. */
function breakOff(gone: Duplex, other: Duplex): void {
  if (gone.errored !== null || !gone.readableEnded || !gone.writableFinished) other.destroy();
}

async function closeOf(stream: Duplex): Promise<void> {
  if (!stream.closed) await once(stream, 'close').catch(() => undefined);
}
