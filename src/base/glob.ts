/**
 * A test for whole texts by a pattern in which `*` stands for anything, nothing included. Its time grows with the text's
 * length alone, however many stars there are: the text may be anybody's.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let end = first.length;
    for (const part of rest) {
      const at = text.indexOf(part, end);
      if (at < 0) return false;
      end = at + part.length;
    }
    return text.length - last.length >= end && text.endsWith(last);
  };
}
