#!/bin/bash
# What can be said about Apple's platforms without Apple's tools: the sources parse for iOS and macOS, and Darwin.swift compiles
# and works against stubs of ours for the few names of Apple's that it uses.
set -euo pipefail
cd "$(dirname "$0")"
out=../../target/swift/apple
mkdir -p "$out"
for target in arm64-apple-ios16.0 arm64-apple-macos13.0; do
  # One inactive #if branch is parsed like any other.
  ./root.sh swiftc -frontend -parse -target "$target" -swift-version 6 Sources/EventSource/*.swift
done
for module in Darwin Network; do
  ./root.sh swiftc -swift-version 6 -parse-as-library -emit-module -module-name "$module" -emit-module-path "$out/$module.swiftmodule" \
    -emit-object -o "$out/$module.o" "Tests/Apple/$module.swift"
done
# One module of the library and the test, so that the test sees what is internal.
./root.sh swiftc -swift-version 6 -warnings-as-errors -module-name EventSource -I "$out" -I Sources/CEventSource \
  Sources/EventSource/*.swift Tests/Apple/main.swift "$out/Network.o" -Xlinker ../../target/release/libeventsource.a -o "$out/test"
./root.sh "$out/test"
