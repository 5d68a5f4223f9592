"""Programs in C and C++ built from an unpacked SDK archive by pkg-config, CMake, and Make, on this machine and for others."""

import os
import shlex
import shutil
import subprocess
import unittest
from pathlib import Path

from support import FIVE, HERE, PLATFORMS, RESUMED, ConsumerTest, Platform, Server, host

import tools

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def flags_of(test: ConsumerTest, sdk: Path, *arguments: str) -> list[str]:
    """What pkg-config says for an SDK."""
    environment = os.environ | {"PKG_CONFIG_LIBDIR": str(sdk / "lib/pkgconfig")}
    # A space in a path is escaped by a backslash, as a shell reads it.
    return shlex.split(test.run_ok("pkg-config", *arguments, "eventsource", env=environment))


class Native(ConsumerTest):
    def setUp(self) -> None:
        super().setUp()
        self.sdk = self.unpack(host())

    def pkg_config(self, *arguments: str) -> list[str]:
        return flags_of(self, self.sdk, *arguments)

    def test_pkg_config_shared(self) -> None:
        client = self.folder / "client"
        self.run_ok("cc", *STRICT, HERE / "client.c", *self.pkg_config("--cflags", "--libs"), "-o", client)
        # The loader looks for the name with the version, and finds it as it was unpacked.
        self.assertIn("[libeventsource.so.0]", self.run_ok("readelf", "-d", client))
        self.check(client, env=os.environ | {"LD_LIBRARY_PATH": str(self.sdk / "lib")})

    def test_pkg_config_static(self) -> None:
        client = self.folder / "client"
        flags = self.pkg_config("--static", "--cflags", "--libs")
        for link in (self.sdk / "lib").glob("*.so*"):
            link.unlink()
        self.run_ok("cc", *STRICT, HERE / "client.c", *flags, "-o", client)
        self.assertNotIn("libeventsource", self.run_ok("readelf", "-d", client))
        self.check(client)

    def test_pkg_config_version(self) -> None:
        environment = os.environ | {"PKG_CONFIG_PATH": str(self.sdk / "lib/pkgconfig")}
        self.run_ok("pkg-config", "--exists", "eventsource >= 0.1", env=environment)
        self.assertNotEqual(subprocess.run(["pkg-config", "--exists", "eventsource >= 999"], env=environment).returncode, 0)

    def cmake(self, *arguments: str):
        build = self.folder / "build"
        self.run_ok("cmake", "-S", HERE / "cmake", "-B", build, f"-DCMAKE_PREFIX_PATH={self.sdk}", *arguments)
        self.run_ok("cmake", "--build", build, "--parallel", "2")
        return build

    def test_cmake(self) -> None:
        build = self.cmake()
        for name in ("default", "plusplus", "static", "shared"):
            with self.subTest(name):
                self.check(build / name)
                self.assertEqual("libeventsource" in self.run_ok("readelf", "-d", build / name), name == "shared")

    def test_cmake_shared(self) -> None:
        build = self.cmake("-DBUILD_SHARED_LIBS=ON")
        self.assertIn("[libeventsource.so.0]", self.run_ok("readelf", "-d", build / "default"))
        self.check(build / "default")

    def test_cmake_refuses_a_version_to_come(self) -> None:
        text = (HERE / "cmake" / "CMakeLists.txt").read_text().replace("eventsource 0.1 ", "eventsource 0.999 ")
        (self.folder / "CMakeLists.txt").write_text(text)
        done = subprocess.run(
            ["cmake", "-S", self.folder, "-B", self.folder / "build", f"-DCMAKE_PREFIX_PATH={self.sdk}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('requested version "0.999"', done.stderr)

    def test_make(self) -> None:
        # Make has no names with spaces.
        plain = self.folder / "sdk"
        self.sdk.rename(plain)
        self.run_ok("make", "-C", HERE / "make", f"SDK={plain}", f"OUT={self.folder}")
        self.check(self.folder / "client")

    def test_tls(self) -> None:
        client = self.folder / "client"
        self.run_ok("cc", HERE / "client.c", "-I", self.sdk / "include", self.sdk / "lib/libeventsource.a", "-pthread", "-ldl", "-lm", "-o", client)
        server = Server("--tls")
        self.addCleanup(server.stop)
        self.assertEqual(self.run_ok(client, server.url + RESUMED, server.ca), FIVE)


class Elsewhere(ConsumerTest):
    """The same program for other Linuxes, linked by the flags of their own pkg-config file, and run here."""

    # By what: nothing for this machine's own instructions.
    EMULATORS = {
        "x86_64-unknown-linux-musl": [],
        "aarch64-unknown-linux-musl": ["qemu-aarch64"],
        "armv7-unknown-linux-musleabihf": ["qemu-arm"],
        "aarch64-unknown-linux-gnu": ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
    }

    def build(self, platform: Platform, pattern: str = "*.so*") -> Path:
        """Without the libraries of that pattern."""
        sdk = self.unpack(platform)
        for library in (sdk / "lib").glob(pattern):
            library.unlink()
        client = self.folder / f"client-{platform.target}"
        tools.zig_cc(platform.zig, HERE / "client.c", *flags_of(self, sdk, "--static", "--cflags", "--libs"), "-lunwind", "-o", client)
        return client

    def test_they_stream_with_tls_and_without(self) -> None:
        server = Server("--tls")
        self.addCleanup(server.stop)
        platforms = [platform for platform in PLATFORMS if platform.here and platform.target in self.EMULATORS]
        if not platforms:
            self.not_built("x86_64-unknown-linux-musl")
        for platform in platforms:
            with self.subTest(platform.target):
                command = [*self.EMULATORS[platform.target], self.build(platform)]
                self.check(*command)
                self.assertEqual(self.run_ok(*command, server.url + RESUMED, server.ca), FIVE)

    def test_windows_streams_with_tls_and_without(self) -> None:
        """Under wine."""
        platform = next(platform for platform in PLATFORMS if "windows" in platform.target)
        if not platform.here:
            self.not_built(platform.target)
        wine = HERE.parent / "wine.sh"
        server = Server("--tls")
        self.addCleanup(server.stop)
        ca = "Z:" + server.ca.replace("/", "\\")
        # With the static library, then with the DLL beside it.
        for pattern in ("*.dll*", "libeventsource.a"):
            with self.subTest(f"without {pattern}"):
                client = self.build(platform, pattern).rename(self.folder / "client.exe")
                if pattern == "libeventsource.a":
                    shutil.copy(platform.sdk / "lib" / "eventsource.dll", self.folder)
                self.check(wine, client)
                self.assertEqual(self.run_ok(wine, client, server.url + RESUMED, ca), FIVE)


if __name__ == "__main__":
    unittest.main()
