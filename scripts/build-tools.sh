#!/bin/sh
# Builds the clients of the end-to-end tests from the Go module proxy: build-tools.sh crictl critest
# They land in .cache/tools/ and are built again only when their pins or the Go version change.
# Exit 3: no usable Go, so that a caller may skip what needs the clients; where CI is set that is a failure, 1.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
module=$root/e2e/tools/crictl
out=$root/.cache/tools
wanted=1.26

no_go() {
  echo "$1: install Go $wanted or later from your distribution or the official tarball and put it on PATH" >&2
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 3
}

check_go() {
  command -v go >/dev/null || no_go 'Go is missing'
  # Asked inside the module: from 1.21 on, an older go fetches the version that go.mod wants and answers with it.
  found=$(cd "$module" && go env GOVERSION 2>/dev/null | sed 's/^go//') || found=
  oldest=$(printf '%s\n%s\n' "$wanted" "${found:-0}" | sort -V | head -n 1)
  [ "$oldest" = "$wanted" ] || no_go "Go is ${found:-too old}"
}

pins() {
  echo "$found"
  cat "$module/go.mod" "$module/go.sum" "$module/tools.go" "$0"
}

build() {
  case $1 in
    crictl)
      version=$(sed -n 's#^require sigs.k8s.io/cri-tools v##p' "$module/go.mod")
      flags="-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$version"
      go build -trimpath -buildvcs=false -ldflags "$flags" -o "$2" sigs.k8s.io/cri-tools/cmd/crictl
      ;;
    critest) go test -c -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" sigs.k8s.io/cri-tools/cmd/critest ;;
    *)
      echo "unknown tool \"$1\": crictl and critest are known" >&2
      exit 2
      ;;
  esac
}

check_go
mkdir -p "$out"
stamp=$(pins | sha256sum | cut -d ' ' -f 1)
for tool; do
  if [ -x "$out/$tool" ] && [ "$(cat "$out/$tool.stamp" 2>/dev/null)" = "$stamp" ]; then continue; fi
  echo "building $tool"
  (cd "$module" && build "$tool" "$out/$tool.new")
  mv "$out/$tool.new" "$out/$tool"
  echo "$stamp" >"$out/$tool.stamp"
done
