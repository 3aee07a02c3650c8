#!/bin/sh
# Installs the missing ones of a group's Debian packages: install-packages.sh run test
#   run   what Gantry needs on a node: runtime, monitor, pause process, CNI plugins; busybox for the demo image
#   test  what unit and end-to-end tests need on top: compilers, a registry, other tools to compare with
#   vm    what the virtual machine with cgroup v2 needs on top of both
set -eu

run='runc conmon catatonit containernetworking-plugins iptables iproute2 busybox-static zstd libisal2 gpgv'
test='docker-registry gcc libc6-dev libseccomp-dev pkg-config skopeo util-linux openssl umoci buildah crun apparmor gnupg'
vm='user-mode-linux systemd systemd-sysv dbus iptables kmod e2fsprogs sudo secilc'

wanted=
for group; do
  case $group in
    run) wanted="$wanted $run" ;;
    test) wanted="$wanted $test" ;;
    vm) wanted="$wanted $vm" ;;
    *)
      echo "unknown group \"$group\": run, test and vm are known" >&2
      exit 2
      ;;
  esac
done

fail() {
  echo "$1, install by hand:$wanted" >&2
  exit 1
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || fail 'packages are installed on Debian only'
missing=
for package in $wanted; do
  installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
wanted=$missing
[ "$(id -u)" = 0 ] || fail 'packages are installed by root only'

# Services of what is installed here (docker-registry) must not start: the tests run their own, on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update || fail 'apt-get update failed'
# shellcheck disable=SC2086 # a list of words
apt-get -qq install -y --no-install-recommends $missing >/dev/null || fail 'apt-get install failed'
