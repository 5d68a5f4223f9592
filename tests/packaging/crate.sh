#!/bin/bash
# The crate as a registry would hand it out: it verifies, has the header, and gives the C library without compiling cbindgen.
#
# That it builds the same library as the checkout is not compared here; its sources and its lock file are the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
# Uncommitted changes are packaged, too: this is a test, nothing is published.
cargo package --locked --allow-dirty --package libeventsource --no-default-features --features capi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
packed=$target/package/libeventsource-$version
cmp include/eventsource.h "$packed/include/eventsource.h"
diff -r src "$packed/src"
tree() { cargo tree --locked --package libeventsource --edges normal,build --prefix none --no-default-features "$@"; }
if tree --features capi | grep '^cbindgen '; then
  echo "the C library needs cbindgen to be compiled" >&2
  exit 1
fi
# The test can fail:
tree --features header | grep -q '^cbindgen '
echo "it builds by itself, without cbindgen"
