"""README.md's table of platforms says what was built: no size that has drifted, no platform that is not there."""

import os
import re
import unittest

from support import PLATFORMS, ROOT

import table

README = (ROOT / "README.md").read_text()


class Readme(unittest.TestCase):
    def test_the_table_is_true(self) -> None:
        rows = {cells[0]: cells for cells in (line.strip("| ").split(" | ") for line in README.split(table.HEAD[1], 1)[1].split("\n\n")[0].strip().splitlines())}
        self.assertLessEqual(rows.keys(), {platform.name for platform in PLATFORMS})
        self.assertIn(table.HEAD[0], README)
        for platform in PLATFORMS:
            with self.subTest(platform.target):
                if platform.name not in rows:
                    self.assertFalse(os.environ.get("EVENTSOURCE_PACKAGE_COMPLETE"), "it has no row; artefacts/table.py prints it")
                    continue
                _, artefacts, *told, checked = rows[platform.name]
                self.assertEqual((artefacts, checked), (table.artefacts(platform), platform.checked))
                if platform.here:
                    for words, size in zip(told, table.sizes(platform), strict=True):
                        number = re.fullmatch(r"(\d+\.\d) MB", words)
                        self.assertEqual(number is None, size is None)
                        if number and size:
                            # A digit's rounding, and a twentieth of drift.
                            self.assertLess(abs(float(number.group(1)) - size), 0.05 + size / 20)


if __name__ == "__main__":
    unittest.main()
