#!/bin/bash
# Builds the SDK of a target: build.sh TARGET, into target/dist/sdk/TARGET/{include,lib}
#
# The static library is made first: one object with everything that is not eventsource_* local to it, so that it gets on with other
# Rust libraries in the same program. The shared library is linked from it, against stubs of the names that are permitted.
. "$(dirname "$0")/begin.sh"
sysroot=$("$here/std.sh" "$target")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$checkout/Cargo.toml" | head -1)
work=$checkout/target/packaging/$target/link
rm -rf "$sdk" "$work"
mkdir -p "$sdk/include" "$sdk/lib" "$work"
cd "$checkout"

# ring's C needs no headers when it is told so; on Apple it includes one that clang makes needless.
cflags="--target=$triple -nostdlibinc -DRING_CORE_NOSTDLIBINC=1 -ffunction-sections -fdata-sections -fPIC"
cflags+=" -ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}/registry/src=/registry"
case $target in
  x86_64* | i686*) cflags+=" -ffreestanding" ;; # keeps clang's immintrin.h from wanting stdlib.h
esac
case $target in
  *apple*)
    mkdir -p "$work/headers"
    echo '/* clang predefines TARGET_OS_* */' >"$work/headers/TargetConditionals.h"
    cflags+=" -I$work/headers"
    export SDKROOT=$work MACOSX_DEPLOYMENT_TARGET=11.0 IPHONEOS_DEPLOYMENT_TARGET=12.0
    [ "$target" != aarch64-apple-ios-sim ] || IPHONEOS_DEPLOYMENT_TARGET=14.0 ;;
esac
profile=() small=()
case $target in
  # Each app on a phone carries its own copy: there everything but our own code is as small as can be. Our own stays fast; where it
  # has to be inlined to be so it says that itself (the parser), so that the compiler need not try as hard elsewhere.
  *android* | *apple-ios*) profile=(--config 'profile.release.opt-level="z"') small=(-Cllvm-args=-inline-threshold=75) ;;
esac
flags="--sysroot=$sysroot $(remap_flags "$checkout")"
case $target in
  *musl*) flags+=" -Ctarget-feature=-crt-static" ;;
esac
env_name=${target//-/_}
export "CC_$env_name=clang" "AR_$env_name=llvm-ar" "CFLAGS_$env_name=$cflags"
CARGO_TARGET_DIR=$checkout/target/packaging CARGO_PROFILE_RELEASE_STRIP=none RUSTFLAGS=$flags \
  "$CARGO" rustc "${profile[@]}" --locked --release --lib --no-default-features --features capi --crate-type staticlib --target "$target" -- "${small[@]}" --print native-static-libs 2>&1 | tee "$work/cargo.log"
# What a program that links the static library must link, too.
sed -n 's/^note: native-static-libs: //p' "$work/cargo.log" | tail -1 >"$work/native-static-libs.txt"
made=$checkout/target/packaging/$target/release/libeventsource.a
[ -e "$made" ] || made=$checkout/target/packaging/$target/release/eventsource.lib
[ -e "$made" ] || die "no static library was made"
case $target in
  aarch64*android* | x86_64*android* | aarch64-apple-ios*)
    "$here/p256.sh" "$target" "$made" "$work/made.a"
    made=$work/made.a ;;
esac

cp include/eventsource.h "$sdk/include/"
exports=$work/exports.txt
# The functions that the header declares.
sed -n '/^typedef\|^\/\/\|^#\|^ /d; s/^.*[ *]\(eventsource_[a-z0-9_]*\)(.*/\1/p' include/eventsource.h | sort -u >"$exports"
[ "$(wc -l <"$exports")" -ge 64 ] || die "the header's functions were not found"

"$here/link.sh" static "$target" "$made" "$exports" "$sdk/lib/libeventsource.a"
"$here/stubs.sh" "$target" "$work/stubs"
if [ "$shared" = - ]; then
  # Linked all the same, for the sake of the check; not part of the SDK.
  out=$work/libeventsource.dylib
else
  out=$sdk/lib/$shared
fi
"$here/link.sh" shared "$target" "$made" "$exports" "$work/stubs" "$out" "$version"
