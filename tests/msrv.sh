#!/bin/bash
# Checks the library with the oldest Rust it promises to work with: msrv.sh VERSION
#
# Takes that toolchain from rustup if it is there (rustup toolchain install VERSION). Else, as root on Debian, takes the one of
# the Debian release that has it, in a root of its own that is made once and kept: about a minute and 1 GB. Else it fails.
set -euo pipefail
version=$1
check="cargo check --offline --locked --lib --examples --all-features"
declare -A releases=([1.85]=trixie)

cd "$(dirname "$0")/.."
checkout=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$checkout/target}/msrv
cargo fetch --locked

if command -v rustup >/dev/null && rustup run "$version" rustc --version 2>/dev/null; then
  export RUSTUP_TOOLCHAIN=$version
  exec $check
fi

die() { echo "msrv.sh: $*. With rustup: rustup toolchain install $version" >&2; exit 1; }
release=${releases[$version]:-}
[ -n "$release" ] || die "no Debian release is known to have Rust $version"
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "Rust $version is not installed, and only root on Debian can make a root with it"

root=${XDG_CACHE_HOME:-$HOME/.cache}/libeventsource/$release-rust-$(uname -m)
if [ ! -d "$root" ]; then
  command -v mmdebstrap >/dev/null || {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap
  }
  # The mirror that apt uses already.
  mirror() { apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'; }
  from=$(mirror)
  [ -n "$from" ] || { apt-get update -qq; from=$(mirror); }
  [ -n "$from" ] || die "apt knows no Debian mirror"
  rm -rf "$root.unfinished"
  mkdir -p "$root.unfinished"
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Retries "5"' --include=cargo,gcc,libc6-dev "$release" "$root.unfinished" "$from"
  mv "$root.unfinished" "$root"
fi

# What is mounted here is seen by this command alone and goes with it. The checkout and cargo's downloads have the same paths
# inside as outside.
export ROOT=$root CHECK=$check VERSION=$version CHECKOUT=$checkout CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$CARGO_TARGET_DIR"
exec unshare --mount --propagation private bash -euc '
  mount -t proc proc "$ROOT/proc"
  for folder in "$CHECKOUT" "$CARGO_HOME" "$CARGO_TARGET_DIR"; do
    mkdir -p "$ROOT$folder"
    mount --bind "$folder" "$ROOT$folder"
  done
  exec chroot "$ROOT" /bin/bash -euc "
    PATH=/usr/bin:/bin
    cd \"\$CHECKOUT\"
    rustc --version | tee /dev/stderr | grep -qF \"rustc \$VERSION.\"
    exec \$CHECK"
'
