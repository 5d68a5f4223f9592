#!/bin/bash
# A copy of an Android SDK whose library runs over musl: bridge.sh TARGET OUT, for 64 bits
#
# The library's code is untouched; of the names that it asks for, those that bridge.c stands for get its prefix. On 32 bits bionic's
# time has 32 bits, musl's 64: too many structures differ.
. "$(dirname "$0")/../begin.sh"
out=$2
need_zig
rm -rf "$out"
mkdir -p "$out/lib"
cp -r "$sdk/include" "$out/"
"$zig" cc -target "${target%%-*}-linux-musl" -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -c "$here/bionic/bridge.c" -o "$out/lib/bridge.o"
llvm-nm --extern-only --defined-only --format=just-symbols "$out/lib/bridge.o" | sed -n 's/^bionic_\(.*\)/\1 &/p' >"$out/lib/names"
[ -s "$out/lib/names" ] || die "the bridge has no names"
llvm-objcopy --redefine-syms="$out/lib/names" "$sdk/lib/libeventsource.a" "$out/lib/libeventsource.a"
# Nothing is left that musl would answer in its own way.
! llvm-nm --undefined-only --format=just-symbols "$out/lib/libeventsource.a" | grep -Fx -f <(cut -d' ' -f1 "$out/lib/names")
