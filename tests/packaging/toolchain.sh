# Finds the compilers, installs what is missing where it may, and exports what every other script here uses. Sourced.
#
# A Rust compiler with the sources of its own standard library, since for most of these targets none can be installed
# here; and the clang, lld and llvm of the same LLVM, which aim at every triple. No NDK, no Xcode, no other system's headers.

die() { echo "package: $*" >&2; exit 1; }

packages=()
# wants FILE PACKAGE...: packages to be installed unless FILE is there.
wants() { [ -e "$1" ] || packages+=("${@:2}"); }
install_packages() {
  [ ${#packages[@]} = 0 ] && return
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    die "missing: ${packages[*]} (as root on Debian this script installs them)"
  fi
  echo "installing ${packages[*]}"
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  packages=()
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libeventsource/package
mkdir -p "$cache"

# Debian's: an own version for web browsers, newer than the release's, on bookworm; elsewhere the release's if it is new enough.
if ! [ -e "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std" ]; then
  if apt-cache show rust-web-src >/dev/null 2>&1; then packages+=(rustc-web cargo-web rust-web-src); else packages+=(rustc cargo rust-src); fi
  install_packages
fi
export RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_WRAPPER CARGO_BUILD_TARGET
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never

llvm=$("$RUSTC" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
llvm_bin=/usr/lib/llvm-$llvm/bin
wants "$llvm_bin/clang" "clang-$llvm"
wants "$llvm_bin/ld.lld" "lld-$llvm"
wants "$llvm_bin/llvm-objcopy" "llvm-$llvm"
# Windows: GNU's tools make names local in COFF objects, LLVM's do not; and rustc makes import libraries with their dlltool.
wants /usr/bin/x86_64-w64-mingw32-dlltool binutils-mingw-w64-x86-64
install_packages
export PATH=$llvm_bin:/usr/bin:/bin:/usr/sbin:/sbin

# Everything that what is built depends on beside its sources: part of the names of what is kept between runs.
toolchain_id=$("$RUSTC" -vV | sha256sum | cut -c1-12)

# In the products, no path of this machine: they are the same wherever they are built.
remap_flags() {
  local library
  library=$(readlink -f "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust")
  echo "--remap-path-prefix=$library=/rust --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/registry --remap-path-prefix=$1=/libeventsource"
}

# What runs the programs of other processors.
need_qemu() { wants /usr/bin/qemu-aarch64-static qemu-user-static; install_packages; }

# zig's C compiler brings the C libraries of musl and Windows with it, and the sources of LLVM's unwinder. From PyPI.
zig_version=0.17.1
need_zig() {
  local folder=$cache/zig-$zig_version
  zig=$folder/ziglang/zig
  export ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache ZIG_LOCAL_CACHE_DIR=$cache/zig-cache
  [ -e "$zig" ] && return
  python3 -c 'import ensurepip' 2>/dev/null || { packages+=(python3-venv); install_packages; }
  (
    flock 9
    [ -e "$zig" ] && exit
    echo "fetching zig $zig_version"
    local unfinished
    unfinished=$(mktemp -d "$cache/zig.XXXXXX")
    python3 -m venv "$unfinished/venv"
    "$unfinished/venv/bin/pip" install --quiet --no-deps --target "$unfinished/zig" "ziglang==$zig_version"
    mv "$unfinished/zig" "$folder"
    rm -rf "$unfinished"
  ) 9>"$folder.lock"
}
