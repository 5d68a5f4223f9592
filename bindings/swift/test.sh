#!/bin/bash
# Everything that is checked of the Swift binding, on a Debian machine that has no Swift: `test.sh` for all, or `test.sh PART...`
# of: lint manifest apple debug snippets docs service asan tsan
set -euo pipefail
cd "$(dirname "$0")"
checkout=$(cd ../.. && pwd -P)
[ $# -gt 0 ] || set -- lint manifest apple debug snippets docs service asan tsan

fail() { echo "test.sh: $*" >&2; exit 1; }

./root.sh >/dev/null
# The root sees this checkout only, so what is built is put into it, wherever cargo would else.
export CARGO_TARGET_DIR=$checkout/target
(cd "$checkout" && cargo build --quiet --release --lib && cargo build --quiet -p eventsource-test-server)

# The scripted server ends when its standard input does: with this script, however that ends.
coproc SERVER { exec cargo run --quiet --manifest-path "$checkout/Cargo.toml" -p eventsource-test-server; }
read -r _ _ _ EVENTSOURCE_TEST_CONTROL _ <&"${SERVER[0]}" || fail "no test server"
export EVENTSOURCE_TEST_CONTROL

lint() {
  ./root.sh swift format lint --strict -r --configuration .swift-format \
    Package.swift Sources Tests ../../examples/tail.swift ../../tests/contract/swift ../../tests/bench/swift
}

manifest() {
  local package=../../target/swift/binary
  rm -rf "$package"
  mkdir -p "$package/Sources/CEventSource" "$package/EventSource.xcframework"
  cp -r Sources/EventSource "$package/Sources"
  local arguments
  for arguments in EventSource.xcframework "https://example.test/EventSource.xcframework.zip $(printf %064d 0)"; do
    # shellcheck disable=SC2086
    ./binary-manifest.sh $arguments >"$package/Package.swift"
    # Linux sees its own branch; what Apple sees is the same with the other.
    ./root.sh swift package --package-path "$package" dump-package | tr -d ' \n' | grep -q '"name":"CEventSource".*"pkgConfig":"eventsource"' ||
      fail "no system library in the manifest"
    sed -i 's/#if os(Linux)/#if os(macOS)/' "$package/Package.swift"
    ./root.sh swift package --package-path "$package" dump-package | tr -d ' \n' | grep -q '"name":"CEventSource".*"type":"binary"' ||
      fail "no binary target in the manifest"
  done
  ! ./binary-manifest.sh 'a"b' >/dev/null 2>&1 || fail "a path with a quote went into the manifest"
  # In a checkout where nothing has been built, it says what to do.
  cp Package.swift "$package/Package.swift"
  ! report=$(./root.sh swift package --package-path "$package" dump-package 2>&1) || fail "no library, and no word about it"
  grep -q 'run `cargo build --release`' <<<"$report" || { echo "$report"; fail "no word on what to build"; }
}

apple() { ./apple.sh; }
snippets() { ./snippets.sh; }
docs() { ./docs.sh; }

suite() {
  ./swiftpm.sh "$1" test --disable-swift-testing --skip CanaryTests 2>&1 | { grep -vE "^Test Case .* (started|passed)" || true; }
}

debug() { suite debug; }

# A test that does wrong on purpose has to be reported, or the suite's silence means nothing.
sanitized() {
  export EVENTSOURCE_SANITIZED=1
  local report
  report=$(EVENTSOURCE_CANARY=$1 ./swiftpm.sh "$1" test --disable-swift-testing --filter CanaryTests 2>&1) && fail "$1 does not see the canary"
  grep -q "$2" <<<"$report" || { echo "$report"; fail "$1 does not name the canary's fault"; }
  suite "$1"
  unset EVENTSOURCE_SANITIZED
}

# It finds leaks too, at the end of the process.
asan() {
  export LSAN_OPTIONS=suppressions=$PWD/Tests/lsan.supp:print_suppressions=0
  sanitized asan "AddressSanitizer: heap-use-after-free"
}

# The library itself is not built with ThreadSanitizer, which stable Rust has not; what is looked at is the Swift side.
tsan() { sanitized tsan "ThreadSanitizer: .* race"; }

service() {
  local listening pid
  # The port is the service's choice.
  exec 4< <(exec ../../tests/contract/swift/run 0)
  pid=$!
  read -r _ _ listening <&4 || fail "the contract test service does not start"
  ask() {
    exec 3<>"/dev/tcp/127.0.0.1/${listening#*:}"
    printf '%s / HTTP/1.1\r\n\r\n' "$1" >&3
    cat <&3
    exec 3>&-
  }
  ask GET | grep -q '"capabilities"' || fail "GET / of the contract test service"
  ask DELETE | grep -q ' 200 ' || fail "DELETE / of the contract test service"
  wait "$pid" || fail "the contract test service ends with status $?"
}

for part; do
  echo "== swift: $part" >&2
  begun=$SECONDS
  "$part"
  echo "== swift: $part took $((SECONDS - begun)) s" >&2
done
