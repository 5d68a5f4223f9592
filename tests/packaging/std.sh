#!/bin/bash
# Builds Rust's standard library for a target, once a toolchain, and prints the sysroot that has it: std.sh TARGET
#
# Unwinding, small (smaller still for phones), as bitcode and objects, so that it is part of the link-time optimisation. Without the symbolizer of backtraces, which
# finds nothing in a stripped library: 0.2 MB. Kept outside the checkout, so that every clone shares it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh" >&2
target=$1
about "$target"

crates=std,panic_unwind
flags="-Cembed-bitcode=yes -Cforce-unwind-tables=yes"
case $target in
  # A shared library must not hold libc.
  *musl*) flags+=" -Ctarget-feature=-crt-static" ;;
esac
case $target in
  # Rust's own tests are run for these.
  aarch64*musl | armv7*musl*) crates+=,test ;;
esac
level=s features=panic-unwind phone=
case $target in
  # Each app carries its own copy, and spends little of its time in here.
  *android* | *apple-ios*) level=z features+=,optimize_for_size phone=" $level $features" ;;
esac
# Raise it when what follows changes.
recipe=1
id=$(sha256sum <<<"$recipe $crates $flags$phone" | cut -c1-8)
sysroot=$cache/std/$toolchain_id-$id/$target
if ! [ -e "$sysroot" ]; then
  mkdir -p "$(dirname "$sysroot")"
  exec 9>"$sysroot.lock"
  flock 9
fi
if ! [ -e "$sysroot" ]; then
  echo "building std for $target, once" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/src"
  echo '#![no_std]' >"$work/src/lib.rs"
  cat >"$work/Cargo.toml" <<TOML
[package]
name = "std-builder"
version = "0.0.0"
edition = "2021"
[workspace]
[profile.release]
opt-level = "$level"
codegen-units = 1
TOML
  export MACOSX_DEPLOYMENT_TARGET=11.0 IPHONEOS_DEPLOYMENT_TARGET=12.0
  (cd "$work" && RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags $(remap_flags "$work")" "$CARGO" build --quiet --release -Zbuild-std=$crates \
    -Zbuild-std-features=$features --target "$target") >&2
  lib=$work/sysroot/lib/rustlib/$target/lib
  mkdir -p "$lib"
  cp "$work/target/$target"/release/deps/*.rlib "$lib/"
  rm -f "$lib"/libstd_builder-*
  # In one step, so that an unfinished one is never found.
  rm -rf "$sysroot.unfinished"
  cp -a "$work/sysroot" "$sysroot.unfinished"
  mv "$sysroot.unfinished" "$sysroot"
fi
echo "$sysroot"
