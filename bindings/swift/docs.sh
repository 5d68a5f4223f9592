#!/bin/bash
# Builds the documentation of the Swift package, every warning an error. The archive is target/swift/EventSource.doccarchive.
set -euo pipefail
cd "$(dirname "$0")"
graphs=../../target/swift/symbols
rm -rf "$graphs"
mkdir -p "$graphs"
./swiftpm.sh debug build >&2
modules=../../target/swift/swift-debug/debug/Modules
triple=$(./root.sh swiftc -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p')
./root.sh swift symbolgraph-extract -module-name EventSource -target "$triple" \
  -I "$modules" -I Sources/CEventSource -minimum-access-level public -output-dir "$graphs"
./root.sh /usr/libexec/swift/bin/docc convert Sources/EventSource/EventSource.docc --warnings-as-errors \
  --fallback-display-name EventSource --fallback-bundle-identifier io.github.libeventsource.EventSource \
  --additional-symbol-graph-dir "$graphs" --output-path ../../target/swift/EventSource.doccarchive
