"""What each platform is called by whom, and what a program needs besides the static library there."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
DIST = Path(os.environ.get("EVENTSOURCE_DIST", TARGET / "dist")).resolve()
# What is made on the way; nothing there is shipped.
WORK = Path(os.environ.get("EVENTSOURCE_WORK", TARGET / "packaging")).resolve()

VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
# The C API changes by additions only, so one number lasts: 0 until 1.0.0.
SOVERSION = VERSION.split(".")[0]
DESCRIPTION = "A Server-Sent Events client that reconnects for ever: one Rust engine behind one C header"
LICENCE = "MIT OR Apache-2.0"
HOME = "https://github.com/libeventsource/libeventsource"
LICENCES = [ROOT / "LICENSE-MIT", ROOT / "LICENSE-APACHE"]
HEADER = ROOT / "include" / "eventsource.h"

APPLE_LIBS = "-framework Security -framework CoreFoundation"
WINDOWS_LIBS = "-lws2_32 -lbcrypt -lcrypt32 -lntdll -luserenv -lsecur32 -ladvapi32 -lkernel32"


@dataclass(frozen=True)
class Platform:
    """One rust target."""

    target: str
    libs: str  # for the linker, after the static library
    zig: str = ""  # the same place in zig's words, where bindings are linked by it
    npm: str = ""  # folder of the addon in the npm package
    jar: str = ""  # folder of the JNI library in the jar
    abi: str = ""  # Android's name
    clang: str = ""  # clang's name, for Android
    slice: str = ""  # folder in the XCFramework
    name: str = ""  # in the README
    checked: str = "linked"  # how, at most: run, emulated, bridged, wine or linked

    @property
    def sdk(self) -> Path:
        return DIST / "sdk" / self.target

    @property
    def static(self) -> Path:
        return self.sdk / "lib" / "libeventsource.a"

    @property
    def here(self) -> bool:
        """Whether it has been built."""
        return self.static.is_file()


UNIX = "-pthread -ldl -lm"
PLATFORMS = [
    Platform("aarch64-linux-android", "-ldl", abi="arm64-v8a", clang="aarch64-linux-android21", name="Android arm64-v8a", checked="bridged"),
    Platform("armv7-linux-androideabi", "-ldl", abi="armeabi-v7a", clang="armv7a-linux-androideabi21", name="Android armeabi-v7a"),
    Platform("x86_64-linux-android", "-ldl", abi="x86_64", clang="x86_64-linux-android21", name="Android x86_64", checked="bridged"),
    Platform("i686-linux-android", "-ldl", abi="x86", clang="i686-linux-android21", name="Android x86"),
    Platform("aarch64-apple-ios", APPLE_LIBS, slice="ios-arm64", name="iOS arm64"),
    Platform("aarch64-apple-ios-sim", APPLE_LIBS, slice="ios-arm64_x86_64-simulator", name="iOS simulator arm64"),
    Platform("x86_64-apple-ios", APPLE_LIBS, slice="ios-arm64_x86_64-simulator", name="iOS simulator x86_64"),
    Platform("aarch64-apple-darwin", APPLE_LIBS, "aarch64-macos.11.0", "darwin-arm64", "macos-aarch64", slice="macos-arm64_x86_64", name="macOS arm64"),
    Platform("x86_64-apple-darwin", APPLE_LIBS, "x86_64-macos.11.0", "darwin-x64", "macos-x86_64", slice="macos-arm64_x86_64", name="macOS x86_64"),
    Platform("x86_64-unknown-linux-gnu", UNIX, "x86_64-linux-gnu.2.17", "linux-x64", "linux-x86_64", name="Linux x86_64, glibc 2.17", checked="run"),
    Platform("aarch64-unknown-linux-gnu", UNIX, "aarch64-linux-gnu.2.17", "linux-arm64", "linux-aarch64", name="Linux arm64, glibc 2.17", checked="emulated"),
    Platform("x86_64-unknown-linux-musl", UNIX, "x86_64-linux-musl", "linux-x64-musl", name="Linux x86_64, musl", checked="run"),
    Platform("aarch64-unknown-linux-musl", UNIX, "aarch64-linux-musl", "linux-arm64-musl", name="Linux arm64, musl", checked="emulated"),
    Platform("armv7-unknown-linux-musleabihf", UNIX, "arm-linux-musleabihf", name="Linux armv7, musl", checked="emulated"),
    Platform("x86_64-pc-windows-gnu", WINDOWS_LIBS, "x86_64-windows-gnu", "win32-x64", "windows-x86_64", name="Windows x86_64", checked="wine"),
]


def run(*command: object, **options) -> str:
    """Runs a program and returns what it prints; where it fails, its words are the error."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
