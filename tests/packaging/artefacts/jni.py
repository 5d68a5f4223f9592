"""The JNI library of each platform: four for the AAR, the desktops' for the jar; and the classes, by Maven."""

import functools
import shutil
from pathlib import Path

from native import link
from platforms import PLATFORMS, ROOT, WORK, Platform, run
from tools import jdk_include

KOTLIN = ROOT / "bindings" / "kotlin"
NATIVE = WORK / "jni"
MAVEN = WORK / "maven"
MODULES = {"eventsource": "core", "eventsource-coroutines": "coroutines", "eventsource-android": "android"}
EXPORTS = ["JNI_OnLoad", "Java_io_github_libeventsource_*"]


def library(platform: Platform) -> Path:
    """Links one, under the name that the JVM of that system looks for."""
    name = {"windows": "eventsource_jni.dll", "macos": "libeventsource_jni.dylib"}.get(platform.jar.split("-")[0], "libeventsource_jni.so")
    out = NATIVE / ("android" if platform.abi else "desktop") / (platform.abi or platform.jar) / name
    return link(platform, KOTLIN / "jni" / "eventsource_jni.c", out, EXPORTS, ["-std=c11", f"-I{jdk_include()}"])


def libraries(of_android: bool) -> dict[str, Path]:
    """Those there can be, by ABI or by the jar's folder."""
    named = {platform.abi if of_android else platform.jar: platform for platform in PLATFORMS if platform.here}
    return {name: library(platform) for name, platform in named.items() if name}


@functools.cache
def classes() -> dict[str, Path]:
    """Compiles the three modules, as bindings/kotlin does but for its checks, and with every desktop's library; their folders by artifact."""
    shutil.rmtree(NATIVE / "desktop", ignore_errors=True)
    libraries(of_android=False)
    # The compiler in Maven's own process: its daemon is shared by all builds of a machine, and ends with any.
    skip = ["-Dkotlin.compiler.daemon=false", "-DskipTests", "-Dexec.skip", "-Ddokka.skip", "-Danimal.sniffer.skip", "-Dktlint.skip"]
    where = [f"-Droot={MAVEN}", f"-Dnative.dir={NATIVE / 'desktop'}"]
    shutil.rmtree(MAVEN, ignore_errors=True)
    run("mvn", "-B", "-ntp", "-q", "-P", "android", "-pl", "core,coroutines,android", *skip, *where, "package", cwd=KOTLIN)
    return {artifact: MAVEN / "target" / "kotlin" / artifact for artifact in MODULES}
