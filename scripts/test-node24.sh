#!/bin/sh
# Runs the unit tests on Node 24, which comes as an npm package.
set -eu
cd "$(dirname "$0")/.."
dir=.cache/node24
[ -x $dir/node_modules/.bin/node ] || npm install --prefix $dir --no-audit --no-fund --loglevel=error node@24
PATH=$PWD/$dir/node_modules/.bin:$PATH
node --version | grep '^v24\.' >/dev/null || { echo "node 24 cannot be run here" >&2; exit 1; }
mkdir -p build/results
NODE_OPTIONS=--experimental-vm-modules node node_modules/.bin/jest --json --outputFile=build/results/node24.json
