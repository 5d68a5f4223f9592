"""Links the C half of a binding with the static library, for any platform, on this machine."""

from pathlib import Path

import archive
from platforms import HEADER, WORK, Platform, run
from tools import PACKAGING, llvm, zig_cc, zig_lib

HERE = Path(__file__).resolve().parent
INCLUDE = HERE / "include"
COMMON = ["-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror", "-ffile-prefix-map=" + str(HERE.parents[2]) + "=."]
# A lookup helper of the library may outlive who loaded it: never unloaded. 16 KiB pages are Android's, and no harm elsewhere.
ELF = ["-Wl,-z,nodelete", "-Wl,-z,defs", "-Wl,--gc-sections", "-Wl,-z,max-page-size=16384"]


def link(platform: Platform, source: Path, out: Path, exports: list[str], flags: list[str], host_symbols: bool = False) -> Path:
    """Compiles `source` and links it with the platform's static library.

    `exports` are patterns of what the result exports, nothing else is. With `host_symbols` undefined names are left to the program that loads it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = WORK / "native" / platform.target
    flags = [*COMMON, *flags, f"-I{HEADER.parent}", f"-I{INCLUDE}"]
    elf = [flag for flag in ELF if not (host_symbols and flag.endswith(",defs"))]
    script = scratch / f"{out.name}.exports"
    if platform.abi:
        archive.write(script, version_script(exports))
        android(platform, source, out, [*flags, *elf, f"-Wl,--version-script={script}"])
    elif "linux" in platform.target:
        archive.write(script, version_script(exports))
        arguments = [*flags, source, platform.static, *elf, f"-Wl,--version-script={script}", *platform.libs.split(), "-lunwind"]
        zig_cc(platform.zig, "-shared", "-s", "-o", out, *arguments)
    elif "apple" in platform.target:
        archive.write(script, "".join(f"_{name}\n" for name in exports))
        apple(platform, source, out, flags, script, host_symbols)
    else:
        zig_cc(platform.zig, "-shared", "-s", "-o", out, *flags, source, platform.static, *platform.libs.split(), "-lunwind")
        for beside in (*out.parent.glob("*.lib"), *out.parent.glob("*.pdb")):
            beside.unlink()
    return out


def version_script(exports: list[str]) -> str:
    """What a linker of ELF files takes as the list of exports."""
    return "{ global: " + " ".join(f"{name};" for name in exports) + " local: *; };\n"


def c_headers(triple: str) -> list[str]:
    """zig's copy of a C library's headers, and no others."""
    folder = zig_lib() / "libc" / "include"
    return ["-nostdlibinc", "-isystem", folder / triple, "-isystem", folder / "generic-musl"]


def android(platform: Platform, source: Path, out: Path, flags: list[str]) -> None:
    """By clang, against stubs of what Android has. Headers are musl's: of what is used, the two have the same."""
    clang = [llvm("clang"), f"--target={platform.clang}", "-fuse-ld=lld"]
    if platform.abi == "armeabi-v7a":
        flags = [*flags, "-meabi", "gnu"]  # memcpy is called by that name
    libraries = [platform.static, unwinder(platform), "-Wl,--as-needed", *sorted(stubs(platform).glob("*.so"))]
    # API 21's loader knows the old hash table only.
    options = ["-shared", "-nostdlib", "-s", "-Wl,--icf=all", "-Wl,--hash-style=both", f"-Wl,-soname,{out.name}", "-o", out]
    run(*clang, *options, *c_headers(MUSL[platform.target]), *flags, source, PACKAGING / "android-note.s", *libraries)


def apple(platform: Platform, source: Path, out: Path, flags: list[str], exports: Path, host_symbols: bool) -> None:
    """By clang and lld, against stubs of the frameworks and of the C library, whose headers are zig's."""
    headers = ["-nostdlibinc"]
    for folder in sorted((zig_lib() / "libc" / "include").glob("any-*-any")):
        if folder.name in ("any-darwin-any", "any-macos-any"):
            headers += ["-isystem", folder]
    undefined = ["-Wl,-undefined,dynamic_lookup"] if host_symbols else []
    sdk = stubs(platform)
    run(
        llvm("clang"), f"--target={APPLE[platform.target]}", "-fuse-ld=lld", f"--ld-path={llvm('ld64.lld')}", "-nostdlib", "-isysroot", sdk, f"-L{sdk}/usr/lib",
        f"-F{sdk}/System/Library/Frameworks", "-dynamiclib", "-o", out, *headers, *flags, source, platform.static, "-lSystem", *platform.libs.split(),
        "-Wl,-dead_strip", "-Wl,-x", "-Wl,-S", f"-Wl,-install_name,@rpath/{out.name}", f"-Wl,-exported_symbols_list,{exports}", *undefined,
    )  # fmt: skip


MUSL = {
    "aarch64-linux-android": "aarch64-linux-musl",
    "armv7-linux-androideabi": "arm-linux-musl",
    "x86_64-linux-android": "x86_64-linux-musl",
    "i686-linux-android": "x86-linux-musl",
}
APPLE = {"aarch64-apple-darwin": "arm64-apple-macos11.0", "x86_64-apple-darwin": "x86_64-apple-macos11.0"}


def stubs(platform: Platform) -> Path:
    """What stands in for the platform's libraries: those that the library may ask for, and what the C of a binding asks for besides."""
    folder = WORK / "stubs" / platform.target
    run("bash", PACKAGING / "stubs.sh", platform.target, folder)
    if platform.abi:
        source = folder / "liblog.c"
        archive.write(source, "void __android_log_write(void) {}\n")
        clang = [llvm("clang"), f"--target={platform.clang}", "-fuse-ld=lld", "-shared", "-nostdlib"]
        run(*clang, "-Wl,-soname,liblog.so", source, "-o", folder / "liblog.so")
    else:
        system = folder / "usr" / "lib" / "libSystem.tbd"
        more = "_fprintf, ___stderrp, ___stack_chk_fail, ___stack_chk_guard, _calloc, _strlen"
        archive.write(system, system.read_text().replace("symbols: [ ", f"symbols: [ {more}, ", 1))
    return folder


def unwinder(platform: Platform) -> Path:
    """LLVM's unwinder for Android, which has none that apps may use."""
    library = WORK / "native" / platform.target / "libunwind.a"
    run("bash", PACKAGING / "unwinder.sh", platform.target, library)
    return library
