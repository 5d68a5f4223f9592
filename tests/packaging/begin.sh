# What the scripts that take a target begin with: begin.sh TARGET. Sourced; sets here, checkout, target and what it is, sdk.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/targets.sh"
. "$here/toolchain.sh"
target=$1
about "$target"
sdk=$checkout/target/dist/sdk/$target
