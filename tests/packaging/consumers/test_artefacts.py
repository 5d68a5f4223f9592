"""The artefacts themselves: what is in them, and that it is what its name says."""

import hashlib
import json
import plistlib
import re
import struct
import subprocess
import tarfile
import unittest
import xml.etree.ElementTree as xml
import zipfile

from support import DIST, PLATFORMS, ROOT, VERSION, ConsumerTest

import aar
import archive
import maven
import sdk
import xcframework
from tools import llvm

ELF_MACHINE = {3: "x86", 40: "armeabi-v7a", 62: "x86_64", 183: "arm64-v8a"}
MAVEN_POM = "{http://maven.apache.org/POM/4.0.0}"


def kind(data: bytes) -> str:
    """What a binary is for, by its own head."""
    if data[:4] == b"\x7fELF":
        return ELF_MACHINE[struct.unpack_from("<H", data, 18)[0]]
    if data[:4] == b"\xcf\xfa\xed\xfe":
        return {0x01000007: "darwin-x64", 0x0100000C: "darwin-arm64"}[struct.unpack_from("<I", data, 4)[0]]
    if data[:2] == b"MZ":
        at = struct.unpack_from("<I", data, 0x3C)[0]
        return {0x8664: "win32-x64"}[struct.unpack_from("<H", data, at + 4)[0]]
    raise AssertionError("no binary that is known")


class Sdk(ConsumerTest):
    def test_every_archive_has_the_same_shape(self) -> None:
        self.assertTrue(any(platform.here for platform in PLATFORMS))
        for platform in PLATFORMS:
            if not platform.here:
                continue
            with self.subTest(platform.target):
                root = f"eventsource-{VERSION}-{platform.target}"
                with tarfile.open(DIST / f"{root}.tar.gz") as tar:
                    names = {name.removeprefix(f"{root}/") for name in tar.getnames()}
                    for member in tar:
                        self.assertEqual((member.mtime, member.uid, member.gid, member.uname), (archive.EPOCH, 0, 0, ""), member.name)
                        if member.issym():
                            self.assertIn(f"lib/{member.linkname}", names)
                needed = ["include/eventsource.h", "include/CEventSource/module.modulemap", "lib/libeventsource.a", "lib/pkgconfig/eventsource.pc"]
                needed += [f"lib/cmake/eventsource/eventsource-config{more}.cmake" for more in ("", "-version")]
                self.assertLessEqual({*needed, "LICENSE-MIT", "LICENSE-APACHE"}, names)
                if "linux-gnu" in platform.target:
                    self.assertLessEqual({"lib/libeventsource.so", f"lib/libeventsource.so.{VERSION}"}, names)

    def test_the_module_map_is_found(self) -> None:
        """Objective-C imports the module, for a device, by the folder of headers alone."""
        source = self.folder / "client.m"
        source.write_text("@import CEventSource;\nint main(void) { return EVENTSOURCE_VERSION_NUMBER == 0 || eventsource_version() == 0; }\n")
        platform = next(platform for platform in PLATFORMS if platform.here)
        command = [llvm("clang"), "--target=arm64-apple-ios16.0", "-fmodules", f"-fmodules-cache-path={self.folder}/modules", "-fsyntax-only", "-Werror"]
        # There is no SDK of Apple's: the three headers that ours includes are clang's own.
        self.run_ok(*command, "-ffreestanding", "-I", platform.sdk / "include", source)


class XCFramework(ConsumerTest):
    def setUp(self) -> None:
        super().setUp()
        self.framework = DIST / xcframework.NAME
        if not any(platform.slice and platform.here for platform in PLATFORMS):
            self.assertFalse(self.framework.exists())
            self.not_built("aarch64-apple-ios")

    def test_what_the_list_says_is_there(self) -> None:
        listed = plistlib.loads((self.framework / "Info.plist").read_bytes())
        self.assertEqual((listed["CFBundlePackageType"], listed["XCFrameworkFormatVersion"]), ("XFWK", "1.0"))
        found = sorted(path.name for path in self.framework.iterdir() if path.is_dir())
        self.assertEqual([entry["LibraryIdentifier"] for entry in listed["AvailableLibraries"]], found)
        for entry in listed["AvailableLibraries"]:
            with self.subTest(entry["LibraryIdentifier"]):
                folder = self.framework / entry["LibraryIdentifier"]
                library = folder / entry["LibraryPath"]
                self.assertEqual(sorted(self.run_ok(llvm("llvm-lipo"), "-archs", library).split()), entry["SupportedArchitectures"])
                # In one list: what the slice is, what its name says, what each object in it says.
                load = self.run_ok(llvm("llvm-objdump"), "--macho", "--arch=all", "--private-headers", library)
                platforms = set(re.findall(r"cmd (LC_VERSION_MIN_IPHONEOS|LC_VERSION_MIN_MACOSX)|LC_BUILD_VERSION\n.*\n +platform (\w+)", load))
                named = {"ios-arm64": "ios", "ios-arm64_x86_64-simulator": "iossimulator", "macos-arm64_x86_64": "macos"}[folder.name]
                known = {"LC_VERSION_MIN_IPHONEOS": "ios", "LC_VERSION_MIN_MACOSX": "macos"}
                self.assertEqual({known.get(old, new.lower()) for old, new in platforms}, {named})
                self.assertEqual((folder / entry["HeadersPath"] / "eventsource.h").read_bytes(), (ROOT / "include/eventsource.h").read_bytes())

    def test_the_zip_is_the_folder(self) -> None:
        with zipfile.ZipFile(DIST / f"{xcframework.NAME}.zip") as packed:
            inside = {name: packed.read(name) for name in packed.namelist()}
        here = {f"{xcframework.NAME}/{path.relative_to(self.framework).as_posix()}": path.read_bytes() for path in archive.files(self.framework)}
        self.assertEqual(inside.keys(), here.keys())
        self.assertTrue(all(inside[name] == here[name] for name in here))

    def test_podspec(self) -> None:
        text = (DIST / "EventSource.podspec").read_text()
        packed = DIST / f"EventSource-{VERSION}-swift.zip"
        self.assertIn(hashlib.sha256(packed.read_bytes()).hexdigest(), text)
        self.assertIn(packed.name, text)
        with zipfile.ZipFile(packed) as names:
            for name in ("Package.swift", "LICENSE-MIT", "Sources/EventSource/EventSource.swift", f"{xcframework.NAME}/Info.plist"):
                self.assertIn(name, names.namelist())


class Aar(ConsumerTest):
    def setUp(self) -> None:
        super().setUp()
        self.abis = {platform.abi: platform for platform in PLATFORMS if platform.abi and platform.here}
        if not self.abis:
            self.assertFalse((DIST / aar.NAME).exists())
            self.not_built("aarch64-linux-android")
        with zipfile.ZipFile(DIST / aar.NAME) as packed:
            packed.extractall(self.folder)

    def test_manifest_and_rules(self) -> None:
        manifest = xml.parse(self.folder / "AndroidManifest.xml").getroot()
        android = "{http://schemas.android.com/apk/res/android}"
        self.assertEqual(manifest.get("package"), "io.github.libeventsource")
        self.assertEqual(manifest.find("uses-sdk").get(f"{android}minSdkVersion"), "21")
        self.assertEqual(len(manifest.findall("uses-permission")), 2)
        self.assertIn("io.github.libeventsource.Native", (self.folder / "proguard.txt").read_text())

    def test_jni_libraries(self) -> None:
        """One for each ABI, that exports what the classes ask for, needs nothing that a phone has not, and has 16 KiB pages."""
        with zipfile.ZipFile(self.folder / "classes.jar") as jar:
            jar.extract("io/github/libeventsource/Native.class", self.folder)
            names = jar.namelist()
        self.assertFalse([name for name in names if name.endswith((".so", ".pro")) or name.startswith("META-INF/maven")])
        for name in ("EventSource", "coroutines/Events", "android/AndroidEventSource"):
            self.assertTrue(any(f"io/github/libeventsource/{name}" in one for one in names), name)
        native = self.run_ok("javap", "-p", self.folder / "io/github/libeventsource/Native.class")
        methods = {f"Java_io_github_libeventsource_Native_{name}" for name in re.findall(r" native .* (\w+)\(", native)}
        self.assertGreater(len(methods), 10)
        self.assertEqual({path.name for path in (self.folder / "jni").iterdir()}, self.abis.keys())
        for abi in self.abis:
            with self.subTest(abi):
                library = self.folder / "jni" / abi / "libeventsource_jni.so"
                self.assertEqual(kind(library.read_bytes()), abi)
                exported = {line.split()[-1] for line in self.run_ok(llvm("llvm-nm"), "-D", "--defined-only", library).splitlines()}
                self.assertEqual(exported, methods | {"JNI_OnLoad"})
                dynamic = self.run_ok(llvm("llvm-readelf"), "-d", "-l", "-W", library)
                needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
                self.assertLessEqual(needed, {"libc.so", "libdl.so", "libm.so", "liblog.so"})
                self.assertRegex(dynamic, r"\(HASH\)")  # which API 21 reads
                loads = re.findall(r"^ +LOAD .* (0x\w+)$", dynamic, re.M)
                self.assertTrue(loads)
                self.assertEqual({int(align, 16) % 16384 for align in loads}, {0})

    def test_prefab(self) -> None:
        """By the rules of the published schema, version 2."""
        prefab = self.folder / "prefab"
        package = json.loads((prefab / "prefab.json").read_text())
        self.assertEqual((package["schema_version"], package["name"], package["version"]), (2, "eventsource", VERSION))
        self.assertRegex(package["version"], r"^\d+(\.\d+(\.\d+(\.\d+)?)?)?$")
        self.assertEqual(package["dependencies"], [])
        (module,) = (prefab / "modules").iterdir()
        described = json.loads((module / "module.json").read_text())
        self.assertTrue(all(library.startswith(("-l", ":")) for library in described["export_libraries"]))
        self.assertEqual({path.name for path in (module / "libs").iterdir()}, {f"android.{abi}" for abi in self.abis})
        for abi in self.abis:
            with self.subTest(abi):
                folder = module / "libs" / f"android.{abi}"
                told = json.loads((folder / "abi.json").read_text())
                self.assertEqual(told.keys(), {"abi", "api", "ndk", "stl", "static"})
                self.assertEqual((told["abi"], told["api"], told["stl"], told["static"]), (abi, 21, "none", True))
                self.assertTrue((folder / f"{described['library_name']}.a").is_file())


class Repository(ConsumerTest):
    def test_maven(self) -> None:
        repository = DIST / "maven" / maven.GROUP.replace(".", "/")
        artifacts = {path.name for path in repository.iterdir()}
        self.assertLessEqual({"eventsource", "eventsource-coroutines"}, artifacts)
        self.assertEqual("eventsource-android" in artifacts, (DIST / aar.NAME).exists())
        for artifact in artifacts:
            with self.subTest(artifact):
                place = repository / artifact / VERSION
                pom = xml.parse(place / f"{artifact}-{VERSION}.pom").getroot()
                self.assertEqual([pom.find(MAVEN_POM + name).text for name in ("groupId", "artifactId", "version")], [maven.GROUP, artifact, VERSION])
                for name in ("name", "description", "url", "licenses", "developers", "scm"):
                    self.assertIsNotNone(pom.find(MAVEN_POM + name), name)
                packed = place / f"{artifact}-{VERSION}.{pom.find(MAVEN_POM + 'packaging').text}"
                self.assertTrue(zipfile.is_zipfile(packed))
                self.assertTrue(zipfile.is_zipfile(place / f"{artifact}-{VERSION}-sources.jar"))
        for path in archive.files(DIST / "maven"):
            if path.suffix in (".pom", ".jar", ".aar", ".xml"):
                for algorithm in ("md5", "sha1", "sha256", "sha512"):
                    written = path.with_name(f"{path.name}.{algorithm}").read_text()
                    self.assertEqual(written, hashlib.new(algorithm, path.read_bytes()).hexdigest(), path.name)

    def test_the_jar_has_each_desktop(self) -> None:
        expected = {platform.jar for platform in PLATFORMS if platform.jar and platform.here}
        jar = DIST / "maven" / maven.GROUP.replace(".", "/") / "eventsource" / VERSION / f"eventsource-{VERSION}.jar"
        words = {"linux-x86_64": "x86_64", "linux-aarch64": "arm64-v8a", "macos-x86_64": "darwin-x64", "macos-aarch64": "darwin-arm64", "windows-x86_64": "win32-x64"}
        with zipfile.ZipFile(jar) as packed:
            libraries = [name for name in packed.namelist() if "/native/" in name and not name.endswith("/")]
            self.assertEqual({name.split("/")[-2] for name in libraries}, expected)
            for name in libraries:
                self.assertEqual(kind(packed.read(name)), words[name.split("/")[-2]])

    def test_npm(self) -> None:
        words = {"linux-x64": "x86_64", "linux-arm64": "arm64-v8a"}
        with tarfile.open(DIST / "npm" / f"libeventsource-{VERSION}.tgz") as tar:
            addons = [name for name in tar.getnames() if name.endswith(".node")]
            self.assertEqual({name.split("/")[-2] for name in addons}, {platform.npm for platform in PLATFORMS if platform.npm and platform.here})
            for name in addons:
                platform = name.split("/")[-2]
                data = tar.extractfile(name).read()
                self.assertEqual(kind(data), words.get(platform.removesuffix("-musl"), platform))
                # Windows has no names of a program's that a library could leave open.
                self.assertEqual(b"node.exe" in data, False, name)
                if platform == "win32-x64":
                    addon = self.folder / "eventsource.node"
                    addon.write_bytes(data)
                    # A library without a list of its names stops the loader.
                    imports = re.findall(r"TableRVA: (\w+)", self.run_ok(llvm("llvm-readobj"), "--coff-imports", addon))
                    self.assertTrue(imports)
                    self.assertNotIn("0x0", imports)


class Documents(ConsumerTest):
    def test_bill_of_materials(self) -> None:
        """The fields that CycloneDX 1.6 requires, no reference into nothing, and no crate that Cargo.lock has not."""
        bom = json.loads((DIST / "sbom.json").read_text())
        self.assertEqual((bom["bomFormat"], bom["specVersion"], bom["version"]), ("CycloneDX", "1.6", 1))
        self.assertRegex(bom["serialNumber"], r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertRegex(bom["metadata"]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        root = bom["metadata"]["component"]
        self.assertEqual((root["name"], root["version"]), ("libeventsource", VERSION))
        references = [root["bom-ref"], *(component["bom-ref"] for component in bom["components"])]
        self.assertEqual(len(references), len(set(references)))
        lock = (ROOT / "Cargo.lock").read_text()
        for component in bom["components"]:
            with self.subTest(component["name"]):
                self.assertIn(component["type"], ("library", "framework"))
                self.assertTrue(component["licenses"][0]["expression"])
                if component["purl"].startswith("pkg:cargo/"):
                    self.assertIn(f'name = "{component["name"]}"\nversion = "{component["version"]}"\n', lock)
                    self.assertIn(component["hashes"][0]["content"], lock)
        self.assertEqual(sorted(entry["ref"] for entry in bom["dependencies"]), sorted(references))
        for entry in bom["dependencies"]:
            self.assertLessEqual(set(entry["dependsOn"]), set(references))
        names = {component["name"] for component in bom["components"]}
        self.assertLessEqual({"ureq", "rustls", "ring", "rust-std"}, names)
        # Of the tests, of build scripts, and what a compiler runs.
        self.assertFalse(names & {"rcgen", "proptest", "cbindgen", "cc", "thiserror-impl", "serde_json"})

    def test_checksums(self) -> None:
        self.run_ok("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=DIST)
        listed = {line.split("  ")[1] for line in (DIST / "SHA256SUMS").read_text().splitlines()}
        for path in DIST.iterdir():
            if path.is_file() and path.name != "SHA256SUMS":
                self.assertIn(path.name, listed)


if __name__ == "__main__":
    unittest.main()
