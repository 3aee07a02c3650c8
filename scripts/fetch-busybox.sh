#!/bin/sh
# Gets the program of Debian's package busybox, whose shell executes commands: that of busybox-static, which cannot be
# installed beside it, is every applet itself. It lands in .cache/tools/ and stays there.
set -eu

out=$(cd "$(dirname "$0")/.." && pwd)/.cache/tools
[ ! -x "$out/busybox" ] || exit 0

fail() {
  echo "$1: put the program of Debian's package busybox at $out/busybox by hand" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
command -v apt-get >/dev/null || fail 'packages are downloaded on Debian only'
apt-get -qq download busybox 2>/dev/null || { apt-get -qq update && apt-get -qq download busybox; } || fail 'apt-get download failed'
mkdir unpacked
dpkg-deb -x busybox_*.deb unpacked
mkdir -p "$out"
# Debian 12 has it in /bin, later releases in /usr/bin.
install -m 755 "$(find unpacked -name busybox -type f -path '*bin/busybox')" "$out/busybox.new"
mv "$out/busybox.new" "$out/busybox"
