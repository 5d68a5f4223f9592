#!/bin/bash
# The two links of a library, both from the archive that rustc made.
#
#   link.sh static TARGET MADE EXPORTS OUT                 one object in an archive, with EXPORTS global and nothing else
#   link.sh shared TARGET MADE EXPORTS STUBS OUT VERSION   the shared library, against stubs of the names that are permitted
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
kind=$1 target=$2 made=$3 exports=$4
about "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
driver=(clang "--target=$triple" -fuse-ld=lld -nostdlib)
mapfile -t wanted < <(sed 's/^/-Wl,-u,/' "$exports")

# ---- ELF ----

static_elf() {
  local out=$1
  "${driver[@]}" -r -Wl,--gc-sections "${wanted[@]}" "$made" -o "$work/eventsource.o"
  # Of the bitcode that was embedded for the link-time optimisation, nobody has a use any more.
  llvm-objcopy --keep-global-symbols="$exports" --strip-unneeded --remove-section=.llvmbc --remove-section=.llvmcmd "$work/eventsource.o"
  rm -f "$out"
  (cd "$work" && llvm-ar crsD "$out" eventsource.o)
}

shared_elf() {
  local stubs=$1 out=$2 version=$3 name inputs=() options=()
  name=$(basename "$out")
  { echo '{ global:'; sed 's/$/;/' "$exports"; echo 'local: *; };'; } >"$work/exports.map"
  case $target in
    *android* | *musl*)
      "$here/unwinder.sh" "$target" "$work/libunwind.a"
      inputs+=("$work/libunwind.a") ;;
  esac
  case $target in
    *android*)
      # From Android 15 on, 64-bit devices may have pages of 16 KiB. API 21's loader knows only the old hash table.
      options=(-Wl,-z,max-page-size=16384 -Wl,--hash-style=both -Wl,-soname,"$name")
      clang "--target=$triple" -c "$here/android-note.s" -o "$work/note.o"
      inputs+=("$work/note.o") ;;
    *)
      [[ $target != *gnu ]] || { clang "--target=$triple" -O2 -fPIC -c "$here/glibc.c" -o "$work/glibc.o"; inputs+=("$work/glibc.o"); }
      options=(-Wl,-soname,"$name.${version%%.*}")
      ln -s "$name.$version" "$out.${version%%.*}"
      ln -s "$name.${version%%.*}" "$out"
      out=$out.$version ;;
  esac
  # Helper threads that look names up may outlive the last source, so the code must never be unmapped: nodelete. Nothing compares the
  # addresses of functions, so equal ones may be one.
  "${driver[@]}" -shared "${options[@]}" -Wl,-z,relro,-z,now,-z,defs,-z,nodelete,--gc-sections,--icf=all,--build-id=sha1,--as-needed \
    -Wl,--version-script,"$work/exports.map" "${wanted[@]}" "$made" "${inputs[@]}" "$stubs"/*.so* -o "$out"
  llvm-strip --strip-all "$out"
}

# ---- Mach-O ----

# No tool here links Mach-O objects into one. So each object that is used keeps global what is exported and what another of them asks
# for: functions of ring's C and a few of the compiler's helpers. Those get names of ours, which no other Rust library has.
static_macho() {
  local out=$1 member
  sed 's/^/_/' "$exports" >"$work/exports"
  mkdir "$work/objects"
  "${driver[@]}" -dynamiclib -undefined dynamic_lookup -Wl,-t "${wanted[@]/-u,/-u,_}" "$made" -o "$work/all.dylib" |
    sed -n 's/^.*\.a(\(.*\))$/\1/p' | sort -u >"$work/members"
  [ -s "$work/members" ] || die "the linker has not told which members it used"
  while read -r member; do (cd "$work/objects" && llvm-ar x "$made" "$member"); done <"$work/members"
  # Bitcode that was embedded for the link-time optimisation: nobody needs it any more, and llvm-nm would list its names instead.
  for member in "$work"/objects/*; do
    llvm-objcopy --remove-section=__LLVM,__bitcode --remove-section=__LLVM,__cmdline --strip-debug "$member"
  done
  names() { llvm-nm "$@" --format=just-symbols "$work"/objects/* | sed '/:$/d; /^$/d' | sort -u; }
  comm -12 <(names --undefined-only) <(names --extern-only --defined-only) | { grep -Fxv -f "$work/exports" || true; } |
    sed 's/^_\(.*\)/& _eventsource_internal_\1/' >"$work/internal"
  cut -d' ' -f2 "$work/internal" >>"$work/exports"
  for member in "$work"/objects/*; do
    llvm-objcopy --redefine-syms="$work/internal" "$member"
    llvm-objcopy --keep-global-symbols="$work/exports" "$member"
  done
  rm -f "$out"
  (cd "$work/objects" && llvm-ar --format=darwin crsD "$out" ./*)
}

shared_macho() {
  local stubs=$1 out=$2 version=$3
  sed 's/^/_/' "$exports" >"$work/exports"
  "${driver[@]}" -dynamiclib -isysroot "$stubs" -Wl,-exported_symbols_list,"$work/exports" -Wl,-dead_strip,-x,-S "${wanted[@]/-u,/-u,_}" \
    "$made" -L"$stubs/usr/lib" -F"$stubs/System/Library/Frameworks" -lSystem -framework CoreFoundation -framework Security \
    -install_name @rpath/libeventsource.dylib -compatibility_version "${version%%.*}" -current_version "$version" -o "$out"
}

# ---- COFF ----

# Members of import libraries, which rustc puts into the archive, stay what they are: the order of their sections across members is what
# makes the table of imports, and merged it is broken. Kept are those of the libraries for which compilers have no list; a program
# links the others by itself.
#
# GNU's linker wants to fill in an executable's header from _tls_used, even here where that stays undefined: it has another name
# for so long.
static_coff() {
  local out=$1 imports='\.dll[hst][0-9]*\.o$' kept='^(bcryptprimitives|api-ms-win-core-synch-l1-2-0)\.dll[hst]'
  x86_64-w64-mingw32-objcopy --redefine-sym _tls_used=_tls_used_later --remove-section=.llvmbc --remove-section=.llvmcmd "$made" "$work/made.a"
  cp "$made" "$work/imports.a"
  # Several members may have the same name.
  while llvm-ar t "$work/made.a" | grep "$imports" | sort -u >"$work/members"; [ -s "$work/members" ]; do xargs llvm-ar dD "$work/made.a" <"$work/members"; done
  while llvm-ar t "$work/imports.a" | grep -Ev "$kept" | sort -u >"$work/members"; [ -s "$work/members" ]; do xargs llvm-ar dD "$work/imports.a" <"$work/members"; done
  x86_64-w64-mingw32-ld -r "${wanted[@]/#-Wl,-u,/-u}" "$work/made.a" -o "$work/eventsource.o"
  x86_64-w64-mingw32-objcopy --redefine-sym _tls_used_later=_tls_used --keep-global-symbols="$exports" --strip-unneeded "$work/eventsource.o"
  cp "$work/imports.a" "$out"
  (cd "$work" && llvm-ar qsD "$out" eventsource.o)
}

# Windows names the library of each import, and zig has the libraries' lists; check.sh compares what came out with what is permitted.
shared_coff() {
  local out=$2
  need_zig
  { echo 'LIBRARY eventsource.dll'; echo EXPORTS; cat "$exports"; } >"$work/eventsource.def"
  "$zig" cc -target x86_64-windows-gnu -shared -s -Wl,--gc-sections "$work/eventsource.def" "${wanted[@]}" "$made" \
    $windows_libraries -lunwind -o "$out"
  rm -f "${out%/*}/libeventsource.lib" # zig's, the same as the next
  llvm-dlltool -m i386:x86-64 -d "$work/eventsource.def" -l "$(dirname "$out")/libeventsource.dll.a"
}

case $target in
  *apple*) format=macho ;;
  *windows*) format=coff ;;
  *) format=elf ;;
esac
"${kind}_$format" "${@:5}"
