#!/usr/bin/python3
"""Do warnings become errors in a build directory that was there before CI asked for it?"""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SET = Path(__file__).resolve().parents[2] / "scripts/set-werror"


class Werror(unittest.TestCase):
    def test_it_is_configured_only_where_it_differs(self):
        for now, wanted in ((False, "true"), (True, "false"), (True, "true"), (False, "false")):
            with self.subTest(f"{now} {wanted}"), tempfile.TemporaryDirectory() as folder:
                meson, log = Path(folder, "meson"), Path(folder, "log")
                meson.write_text(f'#!/bin/sh\necho "$*" >>{log}\n')
                meson.chmod(0o755)
                Path(folder, "build/meson-info").mkdir(parents=True)
                options = [{"name": "buildtype", "value": "release"}, {"name": "werror", "value": now}]
                Path(folder, "build/meson-info/intro-buildoptions.json").write_text(json.dumps(options))
                env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
                done = subprocess.run([SET, f"{folder}/build", wanted], env=env, check=False)
                self.assertEqual(done.returncode, 0)
                expected = "" if str(now).lower() == wanted else f"configure {folder}/build -Dwerror={wanted}\n"
                self.assertEqual(log.read_text() if log.exists() else "", expected)


if __name__ == "__main__":
    unittest.main()
