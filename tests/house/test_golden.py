#!/usr/bin/python3
"""Does scripts/ecg_golden.py compute the golden values that are committed?

Counts and sums are the same; features may differ in the last digits between numpy's versions."""
import csv
import importlib.util
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-6


def rows(path):
    with open(path, encoding="ascii", newline="") as f:
        return list(csv.reader(f))


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.made = Path(folder.name)
        subprocess.run([sys.executable, ROOT / "scripts/ecg_golden.py", cls.made], check=True)

    def both(self, name):
        made, committed = (rows(folder / f"ecg_golden_{name}.csv") for folder in (self.made, ROOT / "tests/data"))
        self.assertEqual(len(made), 21)
        self.assertEqual(made[0], committed[0])
        self.assertEqual([row[0] for row in made], [row[0] for row in committed])
        return made, committed

    def test_recordings_are_the_same(self):
        made, committed = self.both("recordings")
        self.assertEqual(made, committed)

    def test_features_are_the_same(self):
        for name in ("compact", "spectrogram"):
            made, committed = self.both(name)
            for row, expected in zip(made[1:], committed[1:]):
                for column, got, value in zip(made[0][1:], row[1:], expected[1:], strict=True):
                    with self.subTest(f"{name}: {column} of {row[0]}"):
                        self.assertTrue(math.isclose(float(got), float(value), rel_tol=TOLERANCE, abs_tol=TOLERANCE),
                                        f"{got} instead of {value}")


if __name__ == "__main__":
    if not importlib.util.find_spec("numpy"):
        print("numpy is not installed (scripts/install-deps installs it)")
        sys.exit(77)
    unittest.main()
