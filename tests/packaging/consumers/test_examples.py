"""The apps in examples/, as far as a machine without Xcode and without an Android SDK can compile them."""

import json
import re
import shutil
import unittest
import zipfile
from pathlib import Path

from support import DIST, HERE, PLATFORMS, ROOT, ConsumerTest, Platform

import aar
import native
import xcframework
from tools import jdk_include, llvm

IOS = ROOT / "examples" / "ios"
ANDROID = ROOT / "examples" / "android"


class Ios(ConsumerTest):
    def test_swift_parses_for_ios(self) -> None:
        root = ROOT / "bindings" / "swift" / "root.sh"
        self.run_ok(root, "swiftc", "-frontend", "-parse", "-target", "arm64-apple-ios16.0", "-swift-version", "6", IOS / "Tail" / "TailApp.swift")

    def test_objective_c_compiles_for_ios(self) -> None:
        headers = next(platform for platform in PLATFORMS if platform.here).sdk / "include"
        flags = ["--target=arm64-apple-ios16.0", "-fobjc-arc", "-fblocks", "-fmodules", f"-fmodules-cache-path={self.folder}/modules", "-ffreestanding"]
        flags += ["-Wall", "-Wextra", "-Werror", "-I", HERE / "apple", "-I", headers]
        self.run_ok(llvm("clang"), *flags, "-c", IOS / "Tail" / "Tail.m", "-o", self.folder / "Tail.o")

    def test_every_slice_links(self) -> None:
        """A program that uses the library, linked with each slice of the XCFramework against what Apple's systems have."""
        triples = {"aarch64-apple-ios": "arm64-apple-ios16.0", "aarch64-apple-ios-sim": "arm64-apple-ios16.0-simulator",
                   "x86_64-apple-ios": "x86_64-apple-ios16.0-simulator", **native.APPLE}  # fmt: skip
        source = self.folder / "probe.c"
        source.write_text(
            "#include <eventsource.h>\nint main(void) {\n  eventsource_config *config;\n  eventsource *source;\n  const eventsource_event *event;\n"
            '  eventsource_config_new("https://example.test/", &config);\n  eventsource_new(config, &source);\n'
            "  while (eventsource_next(source, &event) == EVENTSOURCE_STATUS_OK) {}\n  eventsource_free(source);\n  return 0;\n}\n"
        )
        made = [name for name in xcframework.slices() if (DIST / xcframework.NAME / name).exists()]
        if not made:
            self.not_built("aarch64-apple-ios")
        for name in made:
            for platform in xcframework.slices()[name]:
                with self.subTest(platform.target):
                    folder, sdk = DIST / xcframework.NAME / name, native.stubs(platform)
                    self.run_ok(
                        llvm("clang"), f"--target={triples[platform.target]}", "-fuse-ld=lld", f"--ld-path={llvm('ld64.lld')}", "-nostdlib", "-ffreestanding", "-isysroot", sdk,
                        f"-L{sdk}/usr/lib", f"-F{sdk}/System/Library/Frameworks", "-I", folder / "Headers", source, folder / "libeventsource.a", "-lSystem",
                        *platform.libs.split(), "-o", self.folder / platform.target,
                    )  # fmt: skip

    def test_the_project_refers_to_what_it_defines(self) -> None:
        text = (IOS / "Tail.xcodeproj" / "project.pbxproj").read_text()
        defined = re.findall(r"^\t\t(\w{24})(?: /\*.*\*/)? = \{", text, re.M)
        self.assertEqual(len(defined), len(set(defined)))
        self.assertEqual(set(re.findall(r"\b[0-9A-F]{24}\b", text)), set(defined))
        for opened, closed in ("{}", "()"):
            self.assertEqual(text.count(opened), text.count(closed))
        header = re.search(r'SWIFT_OBJC_BRIDGING_HEADER = "(.*)"', text).group(1)
        self.assertTrue((IOS / header).is_file())


    def test_the_project_takes_the_package(self) -> None:
        text = (IOS / "Tail.xcodeproj" / "project.pbxproj").read_text()
        self.assertEqual((IOS / re.search(r"relativePath = (.*?);", text).group(1)).resolve(), ROOT / "target" / "dist" / "swift")
        manifest = (xcframework.PACKAGE / "Package.swift").read_text()
        for product in re.findall(r"XCSwiftPackageProductDependency; productName = (\w+);", text):
            self.assertIn(f'.library(name: "{product}"', manifest)
        oldest = re.search(r"\.iOS\(\.v(\d+)\)", manifest).group(1)
        self.assertEqual(set(re.findall(r"IPHONEOS_DEPLOYMENT_TARGET = (\d+)", text)), {oldest})


class Readmes(unittest.TestCase):
    def test_their_targets_are_those_of_the_platform(self) -> None:
        for folder, there in ((IOS, lambda platform: platform.slice.startswith("ios")), (ANDROID, lambda platform: platform.abi)):
            command = re.search(r"tests/package (.*?)  +#", (folder / "README.md").read_text()).group(1)
            self.assertEqual(command.split(), [platform.target for platform in PLATFORMS if there(platform)])


class Android(ConsumerTest):
    def setUp(self) -> None:
        super().setUp()
        self.platforms = [platform for platform in PLATFORMS if platform.abi and platform.here]
        if not self.platforms:
            self.not_built("aarch64-linux-android")
        with zipfile.ZipFile(DIST / aar.NAME) as packed:
            packed.extractall(self.folder / "aar")

    def test_kotlin_compiles_against_android(self) -> None:
        shutil.copy(HERE / "android" / "pom.xml", self.folder)
        where = [f"-Daar.classes={self.folder / 'aar' / 'classes.jar'}", f"-Dsource={ANDROID / 'src/main/kotlin'}"]
        self.run_ok("mvn", "-B", "-ntp", "-q", *where, "process-sources", "compile", cwd=self.folder)
        self.assertTrue((self.folder / "target/classes/example/tail/MainActivity.class").is_file())

    def test_gradle_takes_the_aar(self) -> None:
        gradle = (ANDROID / "build.gradle.kts").read_text()
        group, artifact, version = re.search(r'implementation\("(io\.github\..*)"\)', gradle).group(1).split(":")
        name = Path(*group.split("."), artifact, version, f"{artifact}-{version}.aar")
        self.assertEqual((DIST / "maven" / name).read_bytes(), (DIST / aar.NAME).read_bytes())
        repository = re.search(r'uri\("(.*)"\)', (ANDROID / "settings.gradle.kts").read_text()).group(1)
        self.assertEqual((ANDROID / repository).resolve(), ROOT / "target" / "dist" / "maven")
        self.assertIn(f"minSdk = {aar.MIN_SDK}\n", gradle)

    def configure(self, platform: Platform) -> Path:
        """What prefab does for CMake: a package config of the AAR's module for one ABI, written from its json files."""
        module = self.folder / "aar" / "prefab" / "modules" / "eventsource"
        described = json.loads((module / "module.json").read_text())
        libs = module / "libs" / f"android.{platform.abi}"
        told = json.loads((libs / "abi.json").read_text())
        kind, suffix = ("STATIC", "a") if told["static"] else ("SHARED", "so")
        folder = self.folder / platform.abi / "prefab"
        folder.mkdir(parents=True)
        (folder / "eventsourceConfig.cmake").write_text(
            f"add_library(eventsource::eventsource {kind} IMPORTED)\nset_target_properties(eventsource::eventsource PROPERTIES\n"
            f'  IMPORTED_LOCATION "{libs / described["library_name"]}.{suffix}"\n  INTERFACE_INCLUDE_DIRECTORIES "{module / "include"}"\n'
            f'  INTERFACE_LINK_LIBRARIES "{";".join(described["export_libraries"])}")\n'
        )
        return folder

    def test_cplusplus_links_for_each_abi(self) -> None:
        """examples/android's CMakeLists.txt, by clang instead of the NDK, with the stubs of what Android has."""
        for platform in self.platforms:
            with self.subTest(platform.abi):
                stubs = native.stubs(platform)
                # The linker looks for -llog, CMake's `log`, and finds the stub; the NDK's clang adds the unwinder and libc.
                flags = [f"--target={platform.clang}", "-nostdlibinc", f"-I{native.INCLUDE}", f"-I{jdk_include()}", "-Wall", "-Wextra", "-Werror"]
                flags += [str(flag) for flag in native.c_headers(native.MUSL[platform.target])]
                link = ["-fuse-ld=lld", "-nostdlib", f"-L{stubs}", "-Wl,-z,defs", "-Wl,--gc-sections"]
                build = self.folder / platform.abi / "build"
                self.run_ok(
                    "cmake", "-S", ANDROID / "src/main/cpp", "-B", build, "-DCMAKE_SYSTEM_NAME=Linux", f"-DCMAKE_CXX_COMPILER={llvm('clang++')}",
                    "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY", f"-DCMAKE_CXX_FLAGS={' '.join(flags)}", f"-DCMAKE_SHARED_LINKER_FLAGS={' '.join(link)}",
                    f"-DCMAKE_CXX_STANDARD_LIBRARIES={native.unwinder(platform)} {stubs}/libc.so {stubs}/libdl.so", f"-Deventsource_DIR={self.configure(platform)}",
                )  # fmt: skip
                self.run_ok("cmake", "--build", build)
                exported = self.run_ok(llvm("llvm-nm"), "-D", "--defined-only", build / "libtail.so")
                kotlin = (ANDROID / "src/main/kotlin/MainActivity.kt").read_text()
                for name in re.findall(r"external fun (\w+)", kotlin):
                    self.assertRegex(exported, rf" T Java_example_tail_MainActivity_{name}\n")


if __name__ == "__main__":
    unittest.main()
