#!/bin/sh
# Generates api/cri/generated/ from api/cri/api.proto, and copies what runs to build/:
#   api.cjs, api.d.cts   messages and enums, by protobufjs
#   services.ts          the table of RPCs, by generate-services.mjs
# Does nothing when neither the proto, these scripts nor the generator's version have changed.
set -eu
cd "$(dirname "$0")/.."

proto=api/cri/api.proto
out=api/cri/generated
built=build/api/cri/generated

stamp=$(cat "$proto" scripts/generate-api.sh scripts/generate-services.mjs node_modules/protobufjs-cli/package.json | sha256sum)

generate() {
  scratch=$(mktemp -d "$out.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  # Comments triple the size of the code, but the types are made from them: so one run for each.
  pbjs() {
    node_modules/.bin/pbjs -t static-module -w commonjs -r gantry-cri --force-long --no-service \
      --no-convert --no-verify --no-delimited --no-typeurl "$@" "$proto"
  }
  pbjs --no-comments -o "$scratch/api.cjs"
  pbjs -o "$scratch/typed.cjs" -d
  # Named exports of CommonJS are found by reading the source, so each must be an assignment of its own.
  sed 's/^module\.exports = \$root;$/exports.runtime = $root.runtime;/' "$scratch/api.cjs" >"$scratch/named.cjs"
  grep -q '^exports\.runtime = ' "$scratch/named.cjs"
  # The short names (IPodSandbox) are the ones used here; deprecated fields keep their mark.
  # Long is typed as ES modules import it: its two builds look alike but are different types.
  sed -e '/@deprecated Use .*\$Properties instead/d' \
    -e 's/^import Long = require("long");$/import type Long from "long" with { "resolution-mode": "import" };/' \
    "$scratch/typed.d.ts" >"$scratch/api.d.cts"
  node scripts/generate-services.mjs "$proto" >"$scratch/services.ts"

  mkdir -p "$out"
  mv "$scratch/named.cjs" "$out/api.cjs"
  mv "$scratch/api.d.cts" "$scratch/services.ts" "$out/"
  echo "$stamp" >"$out/.stamp"
}

[ "$(cat "$out/.stamp" 2>/dev/null)" = "$stamp" ] || generate
mkdir -p "$built"
cmp -s "$out/api.cjs" "$built/api.cjs" || cp "$out/api.cjs" "$built/api.cjs"
