#!/bin/bash
# Links the static library and that of another Rust crate into one program, and runs it where it can be run: coexist.sh TARGET
#
# First with the archive as rustc made it, to see that the test can fail: both hold a standard library, whose names collide.
. "$(dirname "$0")/begin.sh"
work=$checkout/target/packaging/$target/coexist
rm -rf "$work"
mkdir -p "$work"
case $target in
  *musl*) flags=(-Ctarget-feature=-crt-static) ;;
  *) flags=() ;;
esac
"$RUSTC" --edition 2024 --crate-type staticlib --crate-name second --target "$target" --sysroot "$("$here/std.sh" "$target")" -O \
  "${flags[@]}" "$here/coexist/second.rs" -o "$work/libsecond.a"

# link LIBRARY OUT: the program; for phones and macOS a shared library instead, whose other names nobody has to know here.
link() {
  local library=$1 out=$2
  local inputs=(-I"$sdk/include" "$here/coexist/main.c" "$library" "$work/libsecond.a" -o "$out")
  case $target in
    x86_64-unknown-linux-gnu) cc "${inputs[@]}" -lm -Wl,--gc-sections ;;
    *linux-gnu) need_zig && "$zig" cc -target "${target%%-*}-linux-gnu.2.17" "${inputs[@]}" -lunwind ;;
    armv7*musl*) need_zig && "$zig" cc -target arm-linux-musleabihf -static "${inputs[@]}" -lunwind ;;
    *musl*) need_zig && "$zig" cc -target "${target%%-*}-linux-musl" -static "${inputs[@]}" -lunwind ;;
    *windows*) need_zig && "$zig" cc -target x86_64-windows-gnu -s "${inputs[@]}" $windows_libraries -lunwind ;;
    *android*) clang "--target=$triple" -fuse-ld=lld -nostdlib -shared -Wl,-u,eventsource_version,-u,second_run "$library" "$work/libsecond.a" -o "$out" ;;
    *apple*) clang "--target=$triple" -fuse-ld=lld -nostdlib -dynamiclib -undefined dynamic_lookup -isysroot "$work" \
      -Wl,-u,_eventsource_version,-u,_second_run "$library" "$work/libsecond.a" -o "$out" ;;
  esac
}
if link "$checkout/target/packaging/$target/release/libeventsource.a" "$work/collides" >"$work/collides.log" 2>&1; then
  echo "rustc's own archive would have been linked, too: this shows nothing on this target"
else
  grep -iqE 'duplicate|multiple definition' "$work/collides.log" || { cat "$work/collides.log"; die "it failed for another reason"; }
fi
suffix=
[[ $target != *windows* ]] || suffix=.exe
link "$sdk/lib/libeventsource.a" "$work/coexist$suffix"
case $target in
  aarch64-linux-android | x86_64-linux-android)
    # As a program, too, over the bridge to musl.
    need_zig
    "$here/bionic/bridge.sh" "$target" "$work/bridged"
    llvm-objcopy --redefine-syms="$work/bridged/lib/names" "$work/libsecond.a"
    "$zig" cc -target "${target%%-*}-linux-musl" -static -I"$sdk/include" "$here/coexist/main.c" "$work/bridged/lib/libeventsource.a" \
      "$work/libsecond.a" "$work/bridged/lib/bridge.o" -lunwind -Wl,--gc-sections -o "$work/coexist" ;;
esac
case $target in
  x86_64-unknown-linux-* | x86_64-linux-android) "$work/coexist" ;;
  aarch64-linux-android | aarch64-unknown-linux-musl) need_qemu && qemu-aarch64-static "$work/coexist" ;;
  armv7-unknown-linux-musleabihf) need_qemu && qemu-arm-static "$work/coexist" ;;
  *windows*) "$here/wine.sh" "$work/coexist.exe" | grep -x 'both work' ;;
  *) echo "linked, not run" ;;
esac
