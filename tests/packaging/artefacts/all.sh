#!/bin/bash
# Assembles the artefacts of what lies in target/dist/sdk, and builds and runs their consumers: all.sh [--complete] [TARGET...]
#
# With --complete, or with every target there is, it is an error if one is missing in some artefact.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../targets.sh"

# What assembles and what consumes, besides the compilers of toolchain.sh: a command, and the package that has it.
missing=()
while read -r command package; do
  if [[ $command = /* ]]; then [ -e "$command" ]; else command -v "$command" >/dev/null; fi || missing+=("$package")
done <<'NEEDED'
python3 python3
cc build-essential
c++ g++
make make
cmake cmake
pkg-config pkg-config
javac openjdk-17-jdk-headless
mvn maven
npm npm
node nodejs
qemu-aarch64 qemu-user
/usr/aarch64-linux-gnu/lib/libc.so.6 libc6-arm64-cross
/usr/aarch64-linux-gnu/lib/libstdc++.so.6 libstdc++6-arm64-cross
/usr/aarch64-linux-gnu/lib/libatomic.so.1 libatomic1-arm64-cross
NEEDED
if [ ${#missing[@]} -gt 0 ]; then
  echo "missing: ${missing[*]}"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "install them (Debian: sudo apt-get install ${missing[*]}), or run this as root"
    exit 1
  fi
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
fi

arguments=()
export EVENTSOURCE_PACKAGE_COMPLETE=
given=" $* "
complete=1
for target in $all_targets; do [[ $given = *" $target "* ]] || complete=; done
[[ -z $complete && $given != *" --complete "* ]] || arguments=(--complete) EVENTSOURCE_PACKAGE_COMPLETE=1
"$here/assemble" "${arguments[@]}"
"$here/../consumers/run"
