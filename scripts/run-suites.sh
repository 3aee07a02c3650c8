#!/bin/bash
# Runs targets of the Makefile one after another, past failures, and ends with the sum of all they counted:
# run-suites.sh check test-unit … A target that leaves no report of its own counts as one test, and one that does not end
# has failed: the sum is always said.
set -u
cd "$(dirname "$0")/.."
results=build/results
verdict() { # NAME PASSED FAILED
  printf '{"numPassedTests":%d,"numFailedTests":%d,"numPendingTests":0,"numTodoTests":0,"numRuntimeErrorTestSuites":0}\n' \
    "$2" "$3" >"$results/target-$1.json"
}
limit=$([ -n "${GANTRY_E2E_FULL:-}" ] && echo 2h || echo 45m)
reports() { find "$results" -name '*.json' | sort; }

mkdir -p "$results"
make build || exit 1
mkdir -p "$results"
for target; do
  printf '\n== make %s\n' "$target"
  before=$(reports)
  begin=$SECONDS
  if timeout --foreground --kill-after=30s "$limit" make "$target"; then failed=0; else failed=1; fi
  printf '== make %s: %s after %d s\n' "$target" "$([ $failed = 0 ] && echo ok || echo FAILED)" $((SECONDS - begin))
  # A failed target with reports is counted by them, but one that broke elsewhere must not pass for it.
  if [ "$(reports)" = "$before" ]; then
    verdict "$target" $((1 - failed)) $failed
  elif [ $failed = 1 ] && node build/scripts/test-summary.js >/dev/null; then
    verdict "$target" 0 1
  fi
done
echo
node build/scripts/test-summary.js
