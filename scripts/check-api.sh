#!/bin/sh
# Compares api/cri/api.proto with the descriptor in the pinned k8s.io/cri-api, after the comparison has been tested
# itself. Prints every difference, and fails if there is any.
# Exit 3: no usable Go, so that a caller may skip the check; where CI is set that is a failure, 1.
set -eu
cd "$(dirname "$0")/../api/cri/check"

wanted=1.26
# Asked inside the module: from 1.21 on, an older go fetches the version that go.mod wants and answers with it.
found=$(go env GOVERSION 2>/dev/null | sed 's/^go//') || found=
oldest=$(printf '%s\n%s\n' "$wanted" "${found:-0}" | sort -V | head -n 1)
if [ "$oldest" != "$wanted" ]; then
  echo "check-api needs Go $wanted or later, and ${found:-none} is here: install it and put it on PATH" >&2
  [ -n "${CI:-}" ] && exit 1
  exit 3
fi

go vet -mod=readonly ./...
go test -mod=readonly ./...
exec go run -mod=readonly . ../api.proto
