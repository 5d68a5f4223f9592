"""What the tests of consumers share: folders of their own, programs that must succeed, and the scripted server."""

import os
import shutil
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "artefacts"))

from platforms import DIST, PLATFORMS, ROOT, TARGET, VERSION, Platform  # noqa: E402

FIVE = "1\n2\n3\n4\n5\n"
# Five events over three connections, then 204: a program that prints them all has reconnected and resumed.
RESUMED = "/resume?every=2&total=5&retry=1"
# A hang is a failure; far above what a busy machine takes, downloads included.
DEADLINE = 1200


def host() -> Platform:
    """The platform that this machine is."""
    machine = os.uname().machine
    return next(platform for platform in PLATFORMS if platform.target == f"{machine}-unknown-linux-gnu")


class Server:
    """The test server's program; it ends with this one."""

    def __init__(self, *arguments: str) -> None:
        program = os.environ.get("EVENTSOURCE_TEST_SERVER")
        if program is None:
            subprocess.run(["cargo", "build", "--quiet", "-p", "eventsource-test-server"], cwd=ROOT, check=True)
            program = str(TARGET / "debug" / "eventsource-test-server")
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        self.url, self.ca = words[1], words[5] if len(words) > 5 else None

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


class ConsumerTest(unittest.TestCase):
    """A test with the server and an empty folder outside the checkout's sources."""

    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self) -> None:
        self.folder = TARGET / "packaging" / "consumers" / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def not_built(self, target: str) -> None:
        """What cannot be tested without a target. Where all were to be built, that is a failure."""
        words = f"not built: tests/package {target} builds it"
        if os.environ.get("EVENTSOURCE_PACKAGE_COMPLETE"):
            self.fail(words)
        self.skipTest(words)

    def run_ok(self, *command: object, **options) -> str:
        """Runs a program, which has to succeed; returns what it prints."""
        words = [str(word) for word in command]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE, **options)
        self.assertEqual(done.returncode, 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def unpack(self, platform: Platform) -> Path:
        """An SDK's archive, unpacked into a folder with a space in its name: it does not matter where it lies."""
        name = f"eventsource-{VERSION}-{platform.target}"
        place = self.folder / "un packed"
        with tarfile.open(DIST / f"{name}.tar.gz") as tar:
            tar.extractall(place, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(place)
        return place / name

    def check(self, *command: object, **options) -> None:
        """A client that takes a URL prints the five events."""
        self.assertEqual(self.run_ok(*command, self.server.url + RESUMED, **options), FIVE)
