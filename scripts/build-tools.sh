#!/bin/sh
# Builds clients, a newer runtime and Kubernetes for the end-to-end tests from the Go module proxy:
# build-tools.sh crictl critest critest-1.36 cri-client runc containerd containerd-suite etcd kube-apiserver kubelet
# They land in .cache/tools/ and are built again only when their pins, their own lines here or the Go version change.
# Exit 3: no usable Go, so that a caller may skip what needs the tools; where CI is set that is a failure, 1.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/.cache/tools
wanted=1.26

no_go() {
  echo "$1: install Go $wanted or later from your distribution or the official tarball and put it on PATH" >&2
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 3
}

check_go() {
  command -v go >/dev/null || no_go 'Go is missing'
  # Asked inside a module: from 1.21 on, an older go fetches the version that go.mod wants and answers with it.
  found=$(cd "$root/e2e/tools/crictl" && go env GOVERSION 2>/dev/null | sed 's/^go//') || found=
  oldest=$(printf '%s\n%s\n' "$wanted" "${found:-0}" | sort -V | head -n 1)
  [ "$oldest" = "$wanted" ] || no_go "Go is ${found:-too old}"
}

# The module that pins a tool.
module() {
  case $1 in
    crictl | critest) echo "$root/e2e/tools/crictl" ;;
    containerd) echo "$root/bench/tools/containerd" ;;
    kube-apiserver | kubelet) echo "$root/e2e/tools/kubernetes" ;;
    runc | cri-client | critest-1.36 | containerd-suite | etcd) echo "$root/e2e/tools/$1" ;;
    *)
      echo "unknown tool \"$1\": crictl, critest, critest-1.36, containerd-suite, cri-client, runc, containerd, etcd, kube-apiserver and kubelet are known" >&2
      exit 2
      ;;
  esac
}

# What a tool is made of: the Go version, its module, and its own lines of this script.
pins() {
  echo "$found"
  cat ./*
  awk -v tool="$1" '
    /^build/ { here = 1 }
    here && /^    [a-z0-9. |-]+\)/ { names = $0; sub(/\).*/, "", names); arm = index(" " names " ", " " tool " ") }
    arm { print }
    /;;/ { arm = 0 }
  ' "$root/scripts/build-tools.sh"
}

build() {
  case $1 in
    crictl)
      version=$(sed -n 's#^require sigs.k8s.io/cri-tools v##p' go.mod)
      flags="-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$version"
      go build -trimpath -buildvcs=false -ldflags "$flags" -o "$2" sigs.k8s.io/cri-tools/cmd/crictl
      ;;
    critest | critest-1.36) go test -c -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" sigs.k8s.io/cri-tools/cmd/critest ;;
    containerd-suite) go test -c -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" github.com/containerd/containerd/v2/integration ;;
    cri-client) go vet . && go test -c -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" . ;;
    # Its own go.mod pins what it is made of, as its releases are.
    containerd)
      GOBIN=$(dirname "$2")/bin go install "github.com/containerd/containerd/v2/cmd/containerd@$(cat version)"
      mv "$(dirname "$2")/bin/containerd" "$2"
      ;;
    etcd) go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" go.etcd.io/etcd/server/v3 ;;
    # Without a version of its own it passes for v0.0.0, which API clients and metrics know nothing of.
    kube-apiserver | kubelet)
      version=$(sed -n 's#^require k8s.io/kubernetes ##p' go.mod)
      minor=${version#v1.} package=k8s.io/component-base/version
      flags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
      go build -trimpath -buildvcs=false -ldflags "$flags" -o "$2" "k8s.io/kubernetes/cmd/$1"
      ;;
    runc) go build -tags seccomp -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" github.com/opencontainers/runc ;;
  esac
}

check_go
mkdir -p "$out"
for tool; do
  module=$(module "$tool")
  cd "$module"
  stamp=$(pins "$tool" | sha256sum | cut -d ' ' -f 1)
  if [ -x "$out/$tool" ] && [ "$(cat "$out/$tool.stamp" 2>/dev/null)" = "$stamp" ]; then continue; fi
  echo "building $tool"
  build "$tool" "$out/$tool.new"
  mv "$out/$tool.new" "$out/$tool"
  echo "$stamp" >"$out/$tool.stamp"
done
