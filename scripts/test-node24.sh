#!/bin/sh
# Runs the unit tests, and end-to-end ones of what leans on Node most, on Node 24, which comes as an npm package.
set -eu
cd "$(dirname "$0")/.."
dir=.cache/node24
[ -x $dir/node_modules/.bin/node ] || npm install --prefix $dir --no-audit --no-fund --loglevel=error node@24
# The daemons that the tests start run on it, too.
PATH=$PWD/$dir/node_modules/.bin:$PATH
node --version | grep '^v24\.' >/dev/null || { echo "node 24 cannot be run here" >&2; exit 1; }
mkdir -p build/results
failed=0
run() { # REPORT ARGUMENT...
  report=$1
  shift
  NODE_OPTIONS=--experimental-vm-modules node node_modules/.bin/jest --json --outputFile="build/results/$report.json" "$@" || failed=1
}
run node24
run node24-e2e -c build/e2e/jest.config.js 'build/e2e/(crictl-streaming|streaming-tls|crictl-pods|exec-sync|crash|kill-during-pull)\.test'
exit $failed
