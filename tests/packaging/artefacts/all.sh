#!/bin/bash
# Assembles the artefacts of what lies in target/dist/sdk, and builds and runs their consumers: all.sh [--complete] [TARGET...]
#
# With --complete, or with every target there is, it is an error if one is missing in some artefact.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../targets.sh"
arguments=()
given=" $* "
complete=1
for target in $all_targets; do [[ $given = *" $target "* ]] || complete=; done
[[ -z $complete && $given != *" --complete "* ]] || arguments=(--complete)
"$here/assemble" "${arguments[@]}"
"$here/../consumers/run"
