#!/bin/bash
# Runs the programs of tests/c and a stream over TLS with the static library of an SDK: run.sh TARGET
#
# On this machine for x86_64 Linux, under qemu's user mode for aarch64 and armv7 musl; the server runs beside them. The programs
# are static with musl, so that no other system's libc is needed here. 64-bit Android's library runs so, too, over bionic/bridge.c.
own_path=$PATH
. "$(dirname "$0")/begin.sh"
need_zig
musl() { EVENTSOURCE_CC="$zig cc -target $1 -static" EVENTSOURCE_CXX="$zig c++ -target $1 -static" EVENTSOURCE_LIBS=-lunwind EVENTSOURCE_RUN="env ${*:2}"; }
case $target in
  x86_64-unknown-linux-gnu) EVENTSOURCE_CC=cc EVENTSOURCE_CXX=c++ EVENTSOURCE_LIBS='-lm -Wl,--gc-sections' EVENTSOURCE_RUN=env ;;
  x86_64-unknown-linux-musl) musl x86_64-linux-musl ;;
  aarch64-unknown-linux-musl) musl aarch64-linux-musl qemu-aarch64-static ;;
  armv7-unknown-linux-musleabihf) musl arm-linux-musleabihf qemu-arm-static ;;
  x86_64-linux-android) musl x86_64-linux-musl ;;
  aarch64-linux-android) musl aarch64-linux-musl qemu-aarch64-static ;;
  *) die "$target cannot be run here" ;;
esac
need_qemu
EVENTSOURCE_SDK=$sdk
case $target in
  *android)
    EVENTSOURCE_SDK=$checkout/target/packaging/bridged/$target
    "$here/bionic/bridge.sh" "$target" "$EVENTSOURCE_SDK"
    EVENTSOURCE_LIBS="$EVENTSOURCE_SDK/lib/bridge.o $EVENTSOURCE_LIBS" ;;
esac
export EVENTSOURCE_SDK EVENTSOURCE_CC EVENTSOURCE_CXX EVENTSOURCE_LIBS EVENTSOURCE_RUN
# The test program is the reader's own build, by the reader's own Rust.
cd "$checkout"
unset RUSTC CARGO
PATH=$own_path cargo test --test c -- --ignored --exact --nocapture with_an_sdk
