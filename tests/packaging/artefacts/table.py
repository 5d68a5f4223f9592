#!/usr/bin/env python3
"""Prints README.md's table of platforms for the SDKs that lie in target/dist: sizes are those of the files."""

import sys

sys.dont_write_bytecode = True

from platforms import PLATFORMS, Platform

HEAD = ["| platform | artefacts, besides the C SDK | static library | shared library | checked |", "|---|---|---|---|---|"]


def artefacts(platform: Platform) -> str:
    """Where its library is besides the SDK."""
    found = [("AAR", platform.abi), ("XCFramework", platform.slice), ("npm", platform.npm), ("jar", platform.jar)]
    return ", ".join(name for name, there in found if there) or "–"


def sizes(platform: Platform) -> list[float | None]:
    """Of the static and the shared library, in MB."""
    lib = platform.sdk / "lib"
    shared = [file for file in lib.iterdir() if file.suffix in (".so", ".dylib", ".dll") and file.name.count("eventsource")]
    return [file.stat().st_size / 1e6 if file else None for file in (platform.static, shared[0] if shared else None)]


def row(platform: Platform) -> str:
    """Its line of the table."""
    words = [f"{size:.1f} MB" if size else "–" for size in sizes(platform)]
    return "| " + " | ".join([platform.name, artefacts(platform), *words, platform.checked]) + " |"


if __name__ == "__main__":
    print("\n".join([*HEAD, *(row(platform) for platform in PLATFORMS if platform.here)]))
