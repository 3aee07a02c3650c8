/** Waits until all have ended, whatever they end in: nothing may be undone while a part still works. @throws the first failure */
export async function settleAll(operations: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(operations)) if (end.status === 'rejected') throw end.reason;
}
