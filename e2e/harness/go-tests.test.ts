import { describe, expect, it } from '@jest/globals';

import { readGoTests, unpassed } from './go-tests.js';

const TEXT = `time="…" level=info msg="before any"
=== RUN   TestWhole
    a_test.go:1: fine
--- PASS: TestWhole (0.10s)
=== RUN   TestParts
    b_test.go:1: of the whole
=== RUN   TestParts/one,_with_(words)
    b_test.go:2: not here
=== RUN   TestParts/two
    b_test.go:3: no such thing
=== NAME  TestParts
    b_test.go:4: again
--- FAIL: TestParts (0.20s)
    --- SKIP: TestParts/one,_with_(words) (0.00s)
    --- FAIL: TestParts/two (0.10s)
=== RUN   TestCutShort
panic: test timed out after 1s
`;

describe('reports of Go tests', () => {
  it('tell of tests and subtests with what each wrote', () => {
    expect(readGoTests(TEXT)).toEqual([
      { name: 'TestWhole', outcome: 'passed', output: '    a_test.go:1: fine' },
      { name: 'TestParts', outcome: 'failed', output: '    b_test.go:1: of the whole\n    b_test.go:4: again' },
      { name: 'TestParts/one,_with_(words)', outcome: 'skipped', output: '    b_test.go:2: not here' },
      { name: 'TestParts/two', outcome: 'failed', output: '    b_test.go:3: no such thing' },
      { name: 'TestCutShort', outcome: 'failed', output: 'panic: test timed out after 1s\n' },
    ]);
  });

  it('blame the subtest, not those that it is in', () => {
    const names = unpassed(readGoTests(TEXT)).map(({ name }) => name);
    expect(names).toEqual(['TestParts/one,_with_(words)', 'TestParts/two', 'TestCutShort']);
  });
});
