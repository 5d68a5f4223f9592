"""Assembling again, elsewhere and in other circumstances, gives the same bytes."""

import os
import shutil
import unittest

from support import DIST, HERE, ConsumerTest


class Reproducible(ConsumerTest):
    def test_the_same_libraries_give_the_same_artefacts(self) -> None:
        again = self.folder / "dist"
        shutil.copytree(DIST / "sdk", again / "sdk", symlinks=True)
        circumstances = {"EVENTSOURCE_DIST": str(again), "EVENTSOURCE_WORK": str(self.folder / "work"), "TZ": "Pacific/Auckland", "LC_ALL": "C"}
        before = os.umask(0o077)
        try:
            self.run_ok(HERE.parent / "artefacts" / "assemble", env=os.environ | circumstances)
        finally:
            os.umask(before)
        first, second = ((folder / "SHA256SUMS").read_text().splitlines() for folder in (DIST, again))
        # Written by the builds, not assembled.
        self.assertEqual([line for line in first if not line.endswith("  sizes.md")], second)


if __name__ == "__main__":
    unittest.main()
