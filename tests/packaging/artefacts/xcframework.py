"""EventSource.xcframework, and the Swift package and podspec that use it."""

import hashlib
import plistlib
import shutil
from pathlib import Path

import archive
import sdk
from platforms import APPLE_LIBS, DESCRIPTION, DIST, HEADER, HOME, LICENCE, LICENCES, PLATFORMS, ROOT, VERSION, WORK, Platform, run
from tools import llvm

NAME = "EventSource.xcframework"
PACKAGE = DIST / "swift"

# On Linux the package finds an installed SDK by pkg-config.
SYSTEM_MODULE_MAP = """\
module CEventSource [system] {
  header "shim.h"
  link "eventsource"
  export *
}
"""

PODSPEC = """\
Pod::Spec.new do |pod|
  pod.name = 'EventSource'
  pod.version = '{version}'
  pod.summary = '{description}'
  pod.homepage = '{home}'
  pod.license = {{ :type => '{licence}', :file => 'LICENSE-MIT' }}
  pod.authors = 'the libeventsource authors'
  pod.source = {{ :http => '{home}/releases/download/v{version}/{archive}', :sha256 => '{sha256}' }}
  pod.swift_versions = ['6.0']
  pod.ios.deployment_target = '16.0'
  pod.osx.deployment_target = '13.0'
  pod.source_files = 'Sources/EventSource/*.swift'
  pod.vendored_frameworks = '{name}'
  pod.frameworks = {frameworks}
end
"""


def slices() -> dict[str, list[Platform]]:
    """The slices, each with what goes into it."""
    found: dict[str, list[Platform]] = {}
    for platform in PLATFORMS:
        if platform.slice:
            found.setdefault(platform.slice, []).append(platform)
    return found


def entry(name: str, archs: list[str]) -> dict[str, object]:
    """What Info.plist says about a slice. Its name says all of it."""
    system, _, rest = name.partition("-")
    described: dict[str, object] = {
        "BinaryPath": "libeventsource.a",
        "HeadersPath": "Headers",
        "LibraryIdentifier": name,
        "LibraryPath": "libeventsource.a",
        "SupportedArchitectures": sorted(archs),
        "SupportedPlatform": system,
    }
    if rest.endswith("-simulator"):
        described["SupportedPlatformVariant"] = "simulator"
    return described


def assemble() -> list[str]:
    """Makes the XCFramework of the slices that are complete; returns those that are not."""
    framework = archive.empty(WORK / NAME)
    entries: list[dict[str, object]] = []
    missing = []
    for name, platforms in sorted(slices().items()):
        if not all(platform.here for platform in platforms):
            missing.append(name)
            continue
        library = framework / name / "libeventsource.a"
        library.parent.mkdir()
        if len(platforms) == 1:
            shutil.copyfile(platforms[0].static, library)
        else:
            run(llvm("llvm-lipo"), "-create", *(platform.static for platform in platforms), "-output", library)
        archs = run(llvm("llvm-lipo"), "-archs", library).split()
        entries.append(entry(name, archs))
        archive.copy(HEADER, framework / name / "Headers" / HEADER.name)
        archive.write(framework / name / "Headers" / "CEventSource" / "module.modulemap", sdk.MODULE_MAP)
    shutil.rmtree(DIST / NAME, ignore_errors=True)
    (DIST / f"{NAME}.zip").unlink(missing_ok=True)
    if entries:
        framework_of(framework, entries)
    package()
    return missing


def framework_of(framework: Path, entries: list[dict[str, object]]) -> None:
    """Finishes the folder with the slices, and packs it."""
    plist = {"AvailableLibraries": entries, "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}
    (framework / "Info.plist").write_bytes(plistlib.dumps(plist, sort_keys=True))
    for licence in LICENCES:
        archive.copy(licence, framework / licence.name)
    shutil.move(framework, DIST / NAME)

    archive.zip_folder(DIST / f"{NAME}.zip", DIST / NAME, f"{NAME}/")


def package() -> None:
    """The Swift package over the XCFramework, which is also what the podspec fetches. On Linux it is of use without one."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    swift = ROOT / "bindings" / "swift"
    for source in archive.files(swift / "Sources" / "EventSource"):
        archive.copy(source, PACKAGE / source.relative_to(swift))
    archive.write(PACKAGE / "Sources" / "CEventSource" / "module.modulemap", SYSTEM_MODULE_MAP)
    archive.write(PACKAGE / "Sources" / "CEventSource" / "shim.h", "#include <eventsource.h>\n")
    if (DIST / NAME).is_dir():
        shutil.copytree(DIST / NAME, PACKAGE / NAME)
    for file in (*LICENCES, swift / "README.md"):
        archive.copy(file, PACKAGE / file.name)
    archive.write(PACKAGE / "Package.swift", run("bash", swift / "binary-manifest.sh", NAME))
    packed = DIST / f"EventSource-{VERSION}-swift.zip"
    archive.zip_folder(packed, PACKAGE)
    archive.write(
        DIST / "EventSource.podspec",
        PODSPEC.format(
            version=VERSION,
            description=DESCRIPTION,
            home=HOME,
            licence=LICENCE,
            archive=packed.name,
            sha256=hashlib.sha256(packed.read_bytes()).hexdigest(),
            name=NAME,
            frameworks=", ".join(f"'{word}'" for word in APPLE_LIBS.split() if word != "-framework"),
        ),
    )
