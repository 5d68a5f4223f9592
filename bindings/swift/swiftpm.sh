#!/bin/bash
# swift build, test or run in the current folder, inside the root of root.sh, against the static library of this checkout.
#
#   swiftpm.sh FLAVOUR build|test|run [ARGUMENT...]     FLAVOUR: debug, release, asan, tsan
#
# Each flavour has a scratch folder of its own, since SwiftPM remembers flags. SwiftPM does not notice a new library either:
# what was linked with another one is removed first.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
checkout=$(cd "$here/../.." && pwd -P)
library=$checkout/target/release/libeventsource.a

flavour=$1 command=$2
shift 2
case $flavour in
  debug) flags=() ;;
  release) flags=(-c release) ;;
  asan) flags=(--sanitize=address) ;;
  tsan) flags=(--sanitize=thread) ;;
  *) echo "swiftpm.sh: no flavour $flavour" >&2; exit 2 ;;
esac

[ -f "$library" ] || (cd "$checkout" && cargo build --release --lib --target-dir target >&2)
scratch=$checkout/target/swift/$(basename "$PWD")-$flavour
mkdir -p "$scratch"
# A folder is used by one SwiftPM at a time; the lock is also what keeps two of these from removing each other's products.
exec 8>"$scratch.lock"
flock 8
hash=$(sha256sum <"$library")
if [ "$(cat "$scratch/library" 2>/dev/null)" != "$hash" ]; then
  # Linked products are the executables directly in the build folder.
  find "$scratch" -mindepth 3 -maxdepth 3 -type f -perm -u+x -delete
  echo "$hash" >"$scratch/library"
fi
exec "$here/root.sh" swift "$command" --scratch-path "$scratch" --disable-automatic-resolution \
  -Xswiftc -warnings-as-errors "${flags[@]}" "$@"
