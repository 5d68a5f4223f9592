"""Programs that use the packages: the crate, the Maven repository, the npm tarball, the Swift package."""

import json
import shutil
import subprocess
import tarfile
import unittest
import zipfile

from support import DIST, FIVE, HERE, PLATFORMS, RESUMED, ROOT, TARGET, VERSION, ConsumerTest, host

import tools


class Crate(ConsumerTest):
    def test_cargo(self) -> None:
        """What `cargo package` packs, in a project of its own."""
        self.run_ok("cargo", "package", "--no-verify", "--allow-dirty", "--quiet", "-p", "libeventsource", "--target-dir", self.folder / "packed", cwd=ROOT)
        with tarfile.open(self.folder / "packed" / "package" / f"libeventsource-{VERSION}.crate") as tar:
            tar.extractall(self.folder)
        project = self.folder / "project"
        shutil.copytree(HERE / "cargo", project)
        manifest = project / "Cargo.toml"
        manifest.write_text(manifest.read_text().replace("@CRATE@", str(self.folder / f"libeventsource-{VERSION}")))
        shutil.copy(ROOT / "Cargo.lock", project)  # the versions that are here already
        # Where the dependencies lie already, for the most part.
        self.run_ok("cargo", "build", "--quiet", "--offline", "--target-dir", TARGET, cwd=project)
        self.check(TARGET / "debug" / "consumer")


class Maven(ConsumerTest):
    def setUp(self) -> None:
        super().setUp()
        self.project = self.folder / "project"
        shutil.copytree(HERE / "maven", self.project)
        # A local repository of its own, so that no earlier copy hides this one's.
        local = TARGET / "packaging" / "maven-local"
        shutil.rmtree(local / "io/github/libeventsource", ignore_errors=True)
        self.words = ["mvn", "-B", "-ntp", "-q", "-Dstyle.color=never", f"-Dmaven.repo.local={local}", f"-Ddist=file://{DIST / 'maven'}", f"-Deventsource.version={VERSION}"]

    def test_maven(self) -> None:
        argument = f"-Dexec.args={self.server.url}{RESUMED}"
        printed = self.run_ok(*self.words, argument, "compile", "exec:java", cwd=self.project)
        # Some versions of Maven reset the terminal's colours around it.
        self.assertEqual(printed.replace("\x1b[0m", "").replace("\x1b[m", ""), FIVE)

    def test_a_jar_that_is_not_what_its_checksum_says_is_refused(self) -> None:
        copy = self.folder / "maven"
        shutil.copytree(DIST / "maven", copy)
        for jar in copy.rglob(f"eventsource-{VERSION}.jar"):
            jar.write_bytes(jar.read_bytes() + b" ")
        words = [word.replace(str(DIST / "maven"), str(copy)) for word in self.words]
        done = subprocess.run([*words, "compile"], cwd=self.project, stdout=subprocess.PIPE, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Checksum validation failed", done.stdout)


class Npm(ConsumerTest):
    def test_npm(self) -> None:
        (self.folder / "package.json").write_text('{"private": true}')
        shutil.copy(HERE / "npm" / "client.mjs", self.folder)
        self.run_ok("npm", "install", "--no-audit", "--no-fund", "--offline", DIST / "npm" / f"libeventsource-{VERSION}.tgz", cwd=self.folder)
        self.check("node", "client.mjs", cwd=self.folder)
        installed = self.folder / "node_modules" / "libeventsource"
        self.assertNotIn("scripts", json.loads((installed / "package.json").read_text()))
        # It was not this checkout's build that ran.
        shutil.rmtree(installed / "prebuilds")
        self.assertNotEqual(subprocess.run(["node", "client.mjs", self.server.url], cwd=self.folder, stderr=subprocess.PIPE).returncode, 0)

    def test_npm_on_another_processor(self) -> None:
        """The addon for 64-bit ARM, in a Node for it, emulated."""
        if not next(platform for platform in PLATFORMS if platform.npm == "linux-arm64").here:
            self.not_built("aarch64-unknown-linux-gnu")
        (self.folder / "package.json").write_text('{"private": true}')
        shutil.copy(HERE / "npm" / "client.mjs", self.folder)
        self.run_ok("npm", "install", "--no-audit", "--no-fund", "--offline", DIST / "npm" / f"libeventsource-{VERSION}.tgz", cwd=self.folder)
        node = tools.npm_file(*tools.NODE_ARM64) / "bin" / "node"
        self.check("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", node, "client.mjs", cwd=self.folder)


class Swift(ConsumerTest):
    def test_swiftpm(self) -> None:
        """The Swift package over an unpacked SDK, which it finds by pkg-config, in the root that has a Swift."""
        sdk = self.unpack(host())
        plain = self.folder / "sdk"
        sdk.rename(plain)
        with zipfile.ZipFile(DIST / f"EventSource-{VERSION}-swift.zip") as packed:
            packed.extractall(self.folder / "EventSource")
        project = self.folder / "client"
        shutil.copytree(HERE / "swiftpm", project)
        manifest = project / "Package.swift"
        manifest.write_text(manifest.read_text().replace("@PACKAGE@", "../EventSource"))
        root = ROOT / "bindings" / "swift" / "root.sh"
        environment = ["env", f"PKG_CONFIG_PATH={plain / 'lib/pkgconfig'}", f"LD_LIBRARY_PATH={plain / 'lib'}"]
        self.run_ok(root, *environment, "swift", "build", "--quiet", cwd=project)
        self.check(root, *environment, project / ".build" / "debug" / "client", cwd=project)


if __name__ == "__main__":
    unittest.main()
