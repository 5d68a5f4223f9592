#!/bin/bash
# Compiles the Swift of the READMEs and of the documentation: each snippet is the body of a function of its own.
set -euo pipefail
cd "$(dirname "$0")"
out=../../target/swift/snippets
rm -rf "$out"
mkdir -p "$out"
# What the snippets take for granted.
cat >"$out/Given.swift" <<'SWIFT'
import Foundation
let url = URL(fileURLWithPath: "/")
let key = ""
struct Session: Sendable { func freshToken() async throws -> String { "" } }
let session = Session()
func freshToken(for url: URL) async throws -> String { "" }
final class Label: @unchecked Sendable { var text = "" }
let label = Label()
SWIFT
count=$({
  cat README.md ../../README.md Sources/EventSource/EventSource.docc/*.md
  sed -nE 's,^ *///( |$),,p' Sources/EventSource/*.swift
} | awk -v out="$out" '
  /^```swift$/ { inside = 1; file = out "/Snippet" ++count ".swift"; print "import EventSource\nimport Foundation\nfunc snippet" count "() async throws {" >file; next }
  /^```$/ && inside { inside = 0; print "}" >file; close(file); next }
  inside && !/^import / { print >file }
  END { print count + 0 }')
[ "$count" -ge 9 ] || { echo "snippets.sh: only $count snippets" >&2; exit 1; }
./swiftpm.sh debug build >&2
./root.sh swiftc -swift-version 6 -parse-as-library -module-name Snippets -I ../../target/swift/swift-debug/debug/Modules \
  -I Sources/CEventSource -emit-object -o "$out/snippets.o" -wmo "$out"/*.swift
echo "$count snippets compile"
