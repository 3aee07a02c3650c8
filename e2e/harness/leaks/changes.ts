/** Of something with a name: what it was and is; undefined for nothing. */
export interface Change {
  readonly name: string;
  readonly was: string | undefined;
  readonly is: string | undefined;
}

/** The names whose values differ, in their order. */
export function changes(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Change[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const all = names.map((name) => ({ name, was: before.get(name), is: after.get(name) }));
  return all.filter(({ was, is }) => was !== is);
}
