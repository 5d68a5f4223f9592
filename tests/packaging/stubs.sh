#!/bin/bash
# Makes empty libraries with the names that are permitted and no others, to link against: stubs.sh TARGET FOLDER
# Or only tells the names, or the libraries in lower case with them: stubs.sh --names TARGET, stubs.sh --imports TARGET
#
# So a link is the test that the library asks the platform for nothing unexpected, and nothing newer than the oldest system
# that is supported. A line of permitted/*.txt is `library: names`, or `library VERSION: names` where symbols have versions.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
tell=
case $1 in --names | --imports) tell=$1; shift ;; esac
target=$1
about "$target"
list=$here/permitted/$permitted.txt

libraries() { sed -n 's/^\([^#: ][^: ]*\).*:.*/\1/p' "$list" | sort -u; }
# names LIBRARY: lines of VERSION NAME, the version - where there is none.
names() {
  awk -v library="$1" '!/^#/ && $1 ~ "^" library ":?$" {
    version = $1 ~ /:$/ ? "-" : substr($2, 1, length($2) - 1)
    for (i = (version == "-" ? 2 : 3); i <= NF; i++) print version, $i }' "$list"
}

elf() {
  local library=$1 source=$folder/$1.s script=$folder/$1.map
  names "$library" | awk '{ printf ".globl %s\n.type %s, %%function\n%s:\n", $2, $2, $2 }' >"$source"
  names "$library" | awk '$1 != "-" { of[$1] = of[$1] " " $2 ";" } END { for (v in of) printf "%s { global:%s };\n", v, of[v] }' >"$script"
  clang --target="$triple" -c "$source" -o "$folder/$library.o"
  local versions=()
  [ ! -s "$script" ] || versions=(-Wl,--version-script,"$script")
  clang --target="$triple" -fuse-ld=lld -shared -nostdlib -Wl,-soname,"$library" "${versions[@]}" \
    "$folder/$library.o" -o "$folder/$library"
  rm "$source" "$script" "$folder/$library.o"
}

apple() {
  local library=$1 file
  case $library in
    /usr/lib/libSystem.B.dylib) file=$folder/usr/lib/libSystem.tbd ;;
    *) file=$folder$library.tbd ;;
  esac
  mkdir -p "$(dirname "$file")"
  local all='[ arm64-macos, x86_64-macos, arm64-ios, arm64-ios-simulator, x86_64-ios-simulator ]'
  printf -- "--- !tapi-tbd\ntbd-version: 4\ntargets: %s\ninstall-name: '%s'\nexports:\n  - targets: %s\n    symbols: [ %s ]\n...\n" \
    "$all" "$library" "$all" "$(names "$library" | awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $2 }')" >"$file"
}

case $tell in
  --names) for library in $(libraries); do names "$library" | cut -d' ' -f2; done; exit ;;
  --imports) for library in $(libraries); do names "$library" | sed "s/^-/${library,,}/"; done; exit ;;
esac
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
for library in $(libraries); do
  case $target in
    *apple*) apple "$library" ;;
    *windows*) ;;
    *) elf "$library" ;;
  esac
done
