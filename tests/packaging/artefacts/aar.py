"""eventsource-<version>.aar: classes and JNI libraries for apps in Kotlin and Java, a prefab module for those in C and C++."""

import json
import re
from pathlib import Path

import archive
import jni
from platforms import DIST, HEADER, LICENCES, PLATFORMS, VERSION, WORK

NAME = f"eventsource-{VERSION}.aar"
NAMESPACE = "io.github.libeventsource"
MIN_SDK = 21


def manifest() -> str:
    """bindings/kotlin's, with what Gradle writes into it."""
    text = (jni.KOTLIN / "android" / "src" / "main" / "AndroidManifest.xml").read_text()
    opened = re.sub(r"<manifest ", f'<manifest package="{NAMESPACE}" ', text, count=1)
    return opened.replace("<uses-permission", f'<uses-sdk android:minSdkVersion="{MIN_SDK}" />\n    <uses-permission', 1)


def classes_jar(out: Path, folders: dict[str, Path]) -> None:
    """The classes of all three modules. The rules are the AAR's own file, the native libraries its own folder."""
    entries = []
    for folder in folders.values():
        root = folder / "classes"
        for path in archive.files(root):
            name = path.relative_to(root).as_posix()
            if not name.startswith(("META-INF/proguard/", "META-INF/maven/", "io/github/libeventsource/native/")):
                entries.append((name, path))
    archive.zip_files(out, entries)


def prefab(folder: Path) -> None:
    """The module `eventsource` of the package `eventsource`: the header, and the static library of each ABI."""
    archive.write(folder / "prefab.json", json.dumps({"schema_version": 2, "name": "eventsource", "version": VERSION, "dependencies": []}) + "\n")
    module = folder / "modules" / "eventsource"
    # The unwinder is the NDK's clang's to add.
    archive.write(module / "module.json", json.dumps({"export_libraries": ["-ldl"], "android": {}, "library_name": "libeventsource"}) + "\n")
    archive.copy(HEADER, module / "include" / HEADER.name)
    for platform in PLATFORMS:
        if platform.abi and platform.here:
            libs = module / "libs" / f"android.{platform.abi}"
            archive.copy(platform.static, libs / "libeventsource.a")
            abi = {"abi": platform.abi, "api": MIN_SDK, "ndk": 27, "stl": "none", "static": True}
            archive.write(libs / "abi.json", json.dumps(abi) + "\n")


def assemble() -> list[str]:
    """Makes the AAR of the ABIs there are; returns those there are not."""
    missing = [platform.abi for platform in PLATFORMS if platform.abi and not platform.here]
    libraries = jni.libraries(of_android=True)
    (DIST / NAME).unlink(missing_ok=True)
    if not libraries:
        return missing
    stage = archive.empty(WORK / "aar")
    archive.write(stage / "AndroidManifest.xml", manifest())
    archive.write(stage / "R.txt", "")
    archive.copy(jni.KOTLIN / "core/src/main/resources/META-INF/proguard/io.github.libeventsource.pro", stage / "proguard.txt")
    classes_jar(stage / "classes.jar", jni.classes())
    for abi, library in libraries.items():
        archive.copy(library, stage / "jni" / abi / library.name)
    prefab(stage / "prefab")
    for licence in LICENCES:
        archive.copy(licence, stage / "META-INF" / licence.name)
    archive.zip_folder(DIST / NAME, stage)
    return missing
