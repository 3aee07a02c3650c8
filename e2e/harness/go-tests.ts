/** A test or subtest of a Go test program. */
export interface GoTest {
  /** `TestName`, or `TestName/of_a_subtest`. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What it wrote while it was the one that ran, with its logs. */
  readonly output: string;
}

const OUTCOMES = { PASS: 'passed', FAIL: 'failed', SKIP: 'skipped' } as const;
const TURN = /^=== (?:RUN|NAME|CONT) +(\S+)$/;
const END = /^ *--- (PASS|FAIL|SKIP): (\S+) \(/;

/** The tests in what `-test.v` wrote, in the order in which they began. One that did not end has failed. */
export function readGoTests(text: string): GoTest[] {
  const outputs = new Map<string, string[]>();
  const outcomes = new Map<string, GoTest['outcome']>();
  let current: string[] = [];
  for (const line of text.split('\n')) {
    const turn = TURN.exec(line)?.[1];
    const [, word, ended] = END.exec(line) ?? [];
    if (turn !== undefined) current = ofName(outputs, turn);
    else if (ended !== undefined) outcomes.set(ended, OUTCOMES[word as keyof typeof OUTCOMES]);
    else current.push(line);
  }
  return [...outputs].map(([name, lines]) => ({
    name,
    outcome: outcomes.get(name) ?? 'failed',
    output: lines.join('\n'),
  }));
}

function ofName(outputs: Map<string, string[]>, name: string): string[] {
  const known = outputs.get(name) ?? [];
  outputs.set(name, known);
  return known;
}

/** Those that did not pass; of one that failed with a subtest, the subtest alone. */
export function unpassed(tests: readonly GoTest[]): GoTest[] {
  const all = tests.filter(({ outcome }) => outcome !== 'passed');
  return all.filter(({ name }) => !all.some((other) => other.name.startsWith(`${name}/`)));
}
