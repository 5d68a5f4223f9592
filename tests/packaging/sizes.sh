#!/bin/bash
# Writes target/dist/sizes.md, and compares the sizes with the ceilings that are checked in.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/targets.sh"
dist=$checkout/target/dist
over=0
{
  echo '| target | static library | shared library, stripped | ceiling |'
  echo '|---|---|---|---|'
  for target in $all_targets; do
    about "$target"
    sdk=$dist/sdk/$target/lib
    [ -e "$sdk/libeventsource.a" ] || continue
    static=$(stat -c %s "$sdk/libeventsource.a")
    size=-
    [ "$shared" = - ] || size=$(stat -Lc %s "$sdk/$shared")
    read -r most_static most_shared < <(awk -v target="$target" '$1 == target { print $2, $3 }' "$here/ceilings.txt")
    echo "| $target | $static | $size | $most_static, $most_shared |"
    if [ "$static" -gt "$most_static" ] || { [ "$size" != - ] && [ "$size" -gt "$most_shared" ]; }; then
      echo "$target is over its ceiling: static $static of $most_static, shared $size of $most_shared bytes" >&2
      over=1
    fi
  done
} >"$dist/sizes.md"
cat "$dist/sizes.md"
exit $over
