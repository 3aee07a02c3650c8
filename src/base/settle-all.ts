/**
 * Waits until all have ended, whatever they end in: nothing may be undone while a part still works. Returns what they
 * gave, in their order. @throws the first failure
 */
export async function settleAll<T extends readonly unknown[]>(operations: {
  readonly [Index in keyof T]: Promise<T[Index]>;
}): Promise<T> {
  const results: unknown[] = [];
  for (const end of await Promise.allSettled(operations)) {
    if (end.status === 'rejected') throw end.reason;
    results.push(end.value);
  }
  return results as unknown as T;
}
