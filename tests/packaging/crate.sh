#!/bin/bash
# The crate as a registry would hand it out: it verifies, has the header, and gives the C library without compiling cbindgen.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
cd "$checkout"
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
log=$target/crate.log
# Uncommitted changes are packaged, too: this is a test, nothing is published.
cargo package --locked --allow-dirty -p libeventsource --no-default-features --features capi 2>&1 | tee "$log"
if grep -q 'Compiling cbindgen' "$log"; then
  echo "a packaged crate compiles cbindgen on the user's machine" >&2
  exit 1
fi
made=$target/package/$(basename "$(ls -td "$target"/package/libeventsource-*/ | head -1)")
cmp include/eventsource.h "$made/include/eventsource.h"
echo "verified, without cbindgen"
