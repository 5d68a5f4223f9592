#!/bin/sh
# build.sh FOLDER: links FOLDER/linux-<machine>/libeventsource_jni.so against target/release/libeventsource.a, if it is out of date.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
archive=${LIBEVENTSOURCE_A:-${CARGO_TARGET_DIR:-$root/target}/release/libeventsource.a}
jdk=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}
out=$1/linux-$(uname -m)/libeventsource_jni.so

[ -f "$archive" ] || { echo "no $archive: cargo build --release first" >&2; exit 1; }
[ -f "$out" ] && [ -z "$(find "$archive" "$here" "$root/include/eventsource.h" -newer "$out")" ] && exit 0
mkdir -p "$(dirname "$out")"
# -z nodelete: a lookup helper of the library may outlive the class loader that loaded it.
${CC:-cc} -std=c11 -O2 -fPIC -fvisibility=hidden -Wall -Wextra -Wpedantic -Werror -shared -o "$out" \
  "$here/eventsource_jni.c" "$archive" -I "$root/include" -I "$jdk/include" -I "$jdk/include/linux" \
  -s -Wl,-z,nodelete -Wl,-z,defs -Wl,--gc-sections -Wl,--exclude-libs,ALL -lpthread -ldl -lm -lgcc_s
