#!/bin/bash
# Checks the SDK of a target without running it: check.sh TARGET. run.sh runs what can be run here.
#
# That it asks the platform for permitted names only has been shown by build.sh, which linked it against nothing else.
. "$(dirname "$0")/begin.sh"
work=$checkout/target/packaging/$target/link
static=$sdk/lib/libeventsource.a
linked=$sdk/lib/$shared
[ "$shared" != - ] || linked=$work/libeventsource.dylib

# same NAME: what came on the input is just what the header declares.
same() {
  diff "$work/exports.txt" <(sort -u) || die "$1 does not export just what the header declares"
}
underscore=
case $target in *apple*) underscore=_ ;; esac
global() { llvm-nm --extern-only --defined-only --format=just-symbols "$@" | sed "/:\$/d; /^\$/d; s/^$underscore//"; }

cmp "$checkout/include/eventsource.h" "$sdk/include/eventsource.h"
case $target in
  *apple*)
    global "$linked" | same "$linked"
    # Beside those, what its objects ask one another for, see link.sh.
    global "$static" | grep -v '^eventsource_internal_' | same "$static"
    ;;
  *windows*)
    llvm-readobj --coff-exports "$linked" | sed -n 's/^ *Name: \(.*[^ ]\).*/\1/p' | sed '/\.dll$/d' | same "$linked"
    # Beside it there are members of import libraries.
    llvm-ar p "$static" eventsource.o >"$work/eventsource.o"
    global "$work/eventsource.o" | same "$static"
    # Where import libraries were merged, a library has no list of names, and the loader stumbles.
    ! llvm-readobj --coff-imports "$linked" | grep 'TableRVA: 0x0$' || die "an import has no table"
    # Every import, as `library name`.
    llvm-readobj --coff-imports "$linked" |
      awk '$1 == "Name:" { library = tolower($2) } $1 == "Symbol:" { print library, $2 }' | sort -u >"$work/imports.txt"
    "$here/stubs.sh" --imports "$target" | sort -u >"$work/permitted-imports.txt"
    unexpected=$(comm -23 "$work/imports.txt" "$work/permitted-imports.txt")
    [ -z "$unexpected" ] || die "the DLL imports" $unexpected
    ;;
  *)
    global -D "$linked" | same "$linked"
    global "$static" | same "$static"
    ;;
esac

# The static library asks for what the shared one does, and for an unwinder, which the compiler brings that links it.
"$here/stubs.sh" --names "$target" >"$work/permitted.txt"
case $target in
  # What every linker makes; what belongs to the unwinder; crt's and glibc's static part, see glibc.c.
  i686*) echo _GLOBAL_OFFSET_TABLE_ >>"$work/permitted.txt" ;;
  armv7*) printf '%s\n' __aeabi_unwind_cpp_pr0 __aeabi_unwind_cpp_pr1 __gnu_unwind_frame >>"$work/permitted.txt" ;;
  *linux-gnu) printf '%s\n' __dso_handle stat64 fstat64 >>"$work/permitted.txt" ;;
esac
# The C library that a program brings on Windows is its compiler's: its names are many, and are not checked in the static library.
# Weak references may stay without an answer.
asked=$(llvm-nm --undefined-only "$static" | awk '$1 == "U" && $2 !~ /^_+Unwind_/ { print $2 }' | sort -u |
  grep -Fxv -f "$work/permitted.txt" || true)
[ -z "$asked" ] || [[ $target = *windows* ]] || die "the static library asks for" $asked

case $target in
  *android*)
    # 64-bit Android may have pages of 16 KiB.
    alignments=$(llvm-readelf --program-headers --wide "$linked" | awk '$1 == "LOAD" { print $NF }' | sort -u)
    [ "$alignments" = 0x4000 ] || die "LOAD segments are aligned to $alignments"
    llvm-readelf --notes "$linked" | grep -A2 Android | grep 'description data: 15 00 00 00' >/dev/null || die "no note says that it is made for API 21"
    ;;
esac
case $target in
  *android* | *linux*)
    llvm-readelf --dynamic-table "$linked" | grep -q 'NODELETE' || die "it may be unloaded"
    ! llvm-readelf --dynamic-table "$linked" | grep TEXTREL || die "it has text relocations"
    ! llvm-readelf --program-headers --wide "$linked" | grep -E 'GNU_STACK.*RWE' || die "its stack is executable"
    ;;
esac
case $target in
  *apple*)
    # The oldest system, in the linked library and in each object.
    oldest=$(sed 's/^.*-apple-[a-z]*//; s/-.*//' <<<"$triple")
    minimum() { llvm-readobj --macho-version-min "$@" | sed -n 's/^ *Version: *//p' | sort -uV | tail -1; }
    [ "$(minimum "$linked")" = "$oldest" ] || die "it is made for $(minimum "$linked"), not $oldest"
    [ "$(printf '%s\n' "$(minimum "$static")" "$oldest" | sort -V | tail -1)" = "$oldest" ] || die "an object is made for $(minimum "$static")"
    echo "made for $oldest"
    ;;
  *linux-gnu)
    newest=$(llvm-readelf --version-info "$linked" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
    [ "$(printf '%s\n' "$newest" GLIBC_2.17 | sort -V | tail -1)" = GLIBC_2.17 ] || die "it needs $newest"
    echo "needs glibc ${newest#GLIBC_}"
    ;;
esac
echo "static $(stat -c %s "$static"), shared $(stat -Lc %s "$linked") bytes"
