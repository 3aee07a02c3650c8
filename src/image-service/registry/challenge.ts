/** One way to authenticate that a server offers (RFC 9110, 11.3). Names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Reads WWW-Authenticate headers, each of which may hold several challenges. What is malformed is passed over. */
export function parseChallenges(headers: string | readonly string[] | undefined): Challenge[] {
  const all = headers === undefined ? [] : typeof headers === 'string' ? [headers] : headers;
  return all.flatMap(parseHeader);
}

function parseHeader(header: string): Challenge[] {
  const found: { scheme: string; params: Record<string, string> }[] = [];
  const token = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;
  for (const [, name = '', quoted, bare] of header.slice(0, 8192).matchAll(token)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), params: {} });
    else Object.assign(found.at(-1)?.params ?? {}, { [name.toLowerCase()]: value });
  }
  return found;
}
