#!/usr/bin/python3
"""Does the layer check refuse what it must, and let pass what it may?"""
import subprocess
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / "scripts/check-layers"


class Layers(unittest.TestCase):
    def check(self, files):
        """Status and messages of the check on a tree with these files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run([CHECK, folder], stderr=subprocess.PIPE, text=True, check=False)
            return done.returncode, done.stderr

    def refuses(self, files, *words):
        status, text = self.check(files)
        self.assertEqual(status, 1, text)
        for word in words:
            self.assertIn(word, text)

    def passes(self, files):
        self.assertEqual(self.check(files), (0, ""))

    def test_the_repository_passes(self):
        done = subprocess.run([CHECK], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_layers_before_and_own_and_public_headers_pass(self):
        self.passes({
            "include/cella/error.h": "",
            "src/base/buf.h": '#include "cella/error.h"\n',
            "src/mem/mem.h": '#include "base/buf.h"\n#include <cella/error.h>\n',
            "src/mem/mem.c": '#include "mem/mem.h"\n#include "mem/own.h"\n#include <stdio.h>\n',
            "src/mem/own.h": "",
            "tests/unit/test_mem.c": '#include "mem/mem.h"\n',
        })

    def test_an_include_to_the_right_is_refused(self):
        self.refuses({"src/base/buf.c": '\n#include "seal/seal.h"\n', "src/seal/seal.h": ""},
                     "src/base/buf.c:2", "src/seal/seal.h")

    def test_angle_brackets_hide_nothing(self):
        self.refuses({"src/base/buf.c": "#  include <seal/seal.h>\n", "src/seal/seal.h": ""}, "src/base/buf.c:1")

    def test_a_path_relative_to_the_file_hides_nothing(self):
        self.refuses({"src/base/buf.c": '#include "../seal/seal.h"\n', "src/seal/seal.h": ""}, "src/base/buf.c:1")

    def test_a_sibling_is_refused(self):
        self.refuses({"src/agent/agent.c": '#include "las/las.h"\n', "src/las/las.h": ""}, "layer agent may include")

    def test_a_pure_layer_includes_base_alone(self):
        self.passes({"src/task/task.c": '#include "base/buf.h"\n', "src/base/buf.h": ""})
        self.refuses({"src/task/task.c": '#include "mem/mem.h"\n', "src/mem/mem.h": ""}, "layer task may include")

    def test_a_public_header_includes_no_layer(self):
        self.refuses({"include/cella/task.h": '#include "base/buf.h"\n', "src/base/buf.h": ""}, "public header")

    def test_a_layer_includes_nothing_from_tests_or_examples(self):
        self.refuses({"src/cli/cli.c": '#include "../../tests/help.h"\n', "tests/help.h": ""}, "only layers")

    def test_an_unknown_layer_is_refused(self):
        self.refuses({"src/misc/misc.c": '#include "base/buf.h"\n', "src/base/buf.h": ""}, "src/misc is no layer")

    def test_a_cycle_is_refused(self):
        self.refuses({"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/c.h"\n',
                      "src/base/c.h": '#include "base/a.h"\n'}, "include each other", "src/base/c.h")

    def test_an_include_in_a_comment_counts_for_nothing(self):
        self.passes({"src/base/a.c": '/*\n#include "seal/seal.h"\n*/\n', "src/seal/seal.h": ""})


if __name__ == "__main__":
    unittest.main()
