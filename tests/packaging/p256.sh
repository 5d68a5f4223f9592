#!/bin/bash
# Takes ring's table for P-256 out of an archive that rustc made: p256.sh TARGET MADE OUT. See p256/multiply.c.
#
# Where the target's code runs here, p256/check.c compares the two.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
target=$1 made=$2 out=$3
about "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
underscore=
[[ $target != *apple* ]] || underscore=_

member=$(llvm-ar t "$made" | grep -- '-p256-nistz\.o$') || die "ring has no p256-nistz.o any more"
(cd "$work" && llvm-ar x "$made" "$member")
# ring_core_VERSION__, which differs with each version.
prefix=$(llvm-nm --format=just-symbols "$work/$member" | sed -n "s/^$underscore\(ring_core_.*__\)p256_point_mul_base\$/\1/p")
[ -n "$prefix" ] || die "ring's p256_point_mul_base has gone"
name=$underscore${prefix}p256_point_mul_base
# Nobody calls it by that name, so the link leaves it out, and the table with it.
llvm-objcopy --redefine-sym "$name=${name}_by_table" --redefine-sym "${name}_vartime=${name}_vartime_by_table" "$work/$member"
clang "--target=$triple" -nostdlibinc -Os -fPIC -ffunction-sections "-DRING(name)=$prefix##name" -c "$here/p256/multiply.c" -o "$work/eventsource-p256.o"
cp "$made" "$out"
(cd "$work" && llvm-ar rsD "$out" "$member" eventsource-p256.o)

case $target in
  x86_64-*linux*)
    cc -O2 "-DRING(name)=$prefix##name" "$here/p256/check.c" "$out" -o "$work/check"
    "$work/check" ;;
esac
