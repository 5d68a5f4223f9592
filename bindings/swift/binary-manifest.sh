#!/bin/bash
# Prints the Package.swift of the published package, which uses the XCFramework instead of a checkout's static library.
#
#   binary-manifest.sh PATH              an EventSource.xcframework inside the package
#   binary-manifest.sh URL CHECKSUM      a zipped one; the checksum is that of `swift package compute-checksum`
#
# Beside it belong Sources/EventSource of this folder, the licences, and for Linux a Sources/CEventSource with a module map for a header
# that pkg-config finds: tests/packaging/artefacts/xcframework.py puts it together.
set -euo pipefail
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }

quoted() {
  case $1 in *[\"\\\|\&$'\n']*) echo "binary-manifest.sh: cannot write $1 into a manifest" >&2; exit 2 ;; esac
  printf '"%s"' "$1"
}

case $# in
  1) library="path: $(quoted "$1")" ;;
  2) library="url: $(quoted "$1"), checksum: $(quoted "$2")" ;;
  *) usage ;;
esac
sed "s|@LIBRARY@|$library|" "$(dirname "$0")/Package.binary.swift.in"
