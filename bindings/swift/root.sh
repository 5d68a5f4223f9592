#!/bin/bash
# Runs a command with Debian trixie's Swift 6.0, whatever this machine has: in a root of its own, made once and kept.
#
#   root.sh COMMAND [ARGUMENT...]   runs it in the current folder of this checkout, inside the root
#   root.sh                         only sets the root up, and prints where it is
#
# The root lies outside the checkout, so that every clone shares it. Needs root, about 3 GB and, the first time, a minute
# or two. Inside, the checkout has the same path as outside; 127.0.0.1 is the same too.
set -euo pipefail

# Part of the folder's name: raise it when the package list changes, and everybody gets a new root.
version=2
packages=swiftlang,libc6-dev,libstdc++-14-dev,git

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libeventsource
root=$cache/swift-root/$version-$(uname -m)
checkout=$(cd "$(dirname "$0")/../.." && pwd -P)

die() { echo "root.sh: $*" >&2; exit 1; }

# The mirror that apt uses already. Only the part that knows the suite: its own address may be anything.
mirror() {
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

make_root() {
  [ "$(id -u)" = 0 ] || die "making the root needs root"
  command -v mmdebstrap >/dev/null || {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
  }
  local from unfinished
  from=$(mirror)
  [ -n "$from" ] || { apt-get update -qq; from=$(mirror); }
  [ -n "$from" ] || die "apt knows no Debian mirror"
  unfinished=$root.unfinished
  rm -rf "$unfinished"
  mkdir -p "$unfinished"
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Retries "5"' --include="$packages" trixie "$unfinished" "$from"
  mv "$unfinished" "$root"
}

if [ ! -d "$root" ]; then
  mkdir -p "$(dirname "$root")"
  (
    flock 9
    [ -d "$root" ] || { echo "root.sh: making a Swift root, once, in $root" >&2; make_root >&2; }
  ) 9>"$root.lock"
fi

[ $# -gt 0 ] || { echo "$root"; exit 0; }

# Everything mounted here is seen by this command alone and goes with it. /dev is the root's own.
export SWIFT_ROOT=$root CHECKOUT=$checkout FOLDER=$(pwd -P)
exec unshare --mount --propagation private bash -c '
  set -e
  export -n SWIFT_ROOT CHECKOUT FOLDER
  mount -t proc proc "$SWIFT_ROOT/proc"
  mount -t tmpfs tmpfs "$SWIFT_ROOT/mnt"
  mkdir -p "$SWIFT_ROOT$CHECKOUT"
  mount --bind "$CHECKOUT" "$SWIFT_ROOT$CHECKOUT"
  exec chroot "$SWIFT_ROOT" /usr/bin/env --chdir="$FOLDER" HOME=/mnt TMPDIR=/mnt LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin "$@"
' root.sh "$@"
