#!/bin/bash
# Compiles LLVM's unwinder for the shared libraries of Android and musl: unwinder.sh TARGET OUT.a
#
# Panics unwind, and on these systems no unwinder is there for certain. For Android the NDK links the same one in. The static library
# holds none: the compiler that links the program has its own. The sources come with zig; unwinder/ replaces two of libc's headers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
target=$1 out=$2
about "$target"
need_zig
lib=$(dirname "$zig")/lib
case $target in
  aarch64*) cpu=aarch64 ;;
  armv7*) cpu=arm ;;
  x86_64*) cpu=x86_64 ;;
  i686*) cpu=x86 ;;
esac
# At -Oz, 64-bit shifts would be calls of the compiler's own library on 32 bits, as memcpy is by ARM's name for it; the links of the
# bindings have none.
size=(-Oz)
case $target in
  i686*) size=(-Os) ;;
  armv7*) size=(-Os -meabi gnu) ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=("--target=$triple" -nostdlibinc -I"$here/unwinder" -I"$lib/libc/include/$cpu-linux-musl" -I"$lib/libc/include/generic-musl"
  -I"$lib/libunwind/include" "${size[@]}" -DNDEBUG -D_LIBUNWIND_IS_NATIVE_ONLY -D_LIBUNWIND_HIDE_SYMBOLS -fPIC -fvisibility=hidden
  -ffunction-sections -funwind-tables -fno-exceptions -w "-ffile-prefix-map=$lib=/zig")
for source in libunwind.cpp Unwind-EHABI.cpp UnwindLevel1.c UnwindLevel1-gcc-ext.c UnwindRegistersRestore.S UnwindRegistersSave.S; do
  language=()
  [[ $source != *.cpp ]] || language=(-std=c++17 -fno-rtti -nostdinc++)
  clang "${flags[@]}" "${language[@]}" -c "$lib/libunwind/src/$source" -o "$work/$source.o"
done
rm -f "$out"
(cd "$work" && llvm-ar crsD "$out" ./*.o)
