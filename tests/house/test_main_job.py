#!/usr/bin/python3
"""Does scripts/run-main-job go through its steps, say what it uses, and say why it cannot go on?"""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A stand-in: `doctor` says $SECRET about secret memory; `run` notes its words, and synth leaves labels.
CELLA = """#!/bin/sh
echo "$*" >>"$LOG"
case "$1 $*" in
doctor*)
	printf 'memory levels\\n  %-8s secret            %s\\n' "$SECRET" "does it work?"
	printf '  -        insecure-none     works; protects nothing\\n  no       paged             not here\\n\\ntools\\n'
	[ "$SECRET" = yes ] || exit 1 ;;
run*" synth "*)
	for word; do case $word in *:/data) folder=${word%:/data} ;; esac; done
	printf 'record,label,split\\nS00000,N,train\\nS00001,N,test\\n' >"$folder/labels.csv" ;;
run*" predict "*) printf 'record,pN\\nS00001,1\\n' ;;
bench*) echo tables ;;
esac
"""


class MainJob(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # A tree of its own: no recordings lie where the script looks for them.
        self.root = Path(folder.name, "tree")
        (self.root / "scripts").mkdir(parents=True)
        script = self.root / "scripts/run-main-job"
        script.write_text((ROOT / "scripts/run-main-job").read_text(encoding="utf-8"), encoding="utf-8")
        script.chmod(0o755)
        (self.root / "cella").write_text(CELLA)
        (self.root / "cella").chmod(0o755)
        self.log = self.root / "log"

    def job(self, secret="yes", **env):
        env = {"PATH": os.environ["PATH"], "LOG": str(self.log), "SECRET": secret, "TMPDIR": str(self.root), **env}
        done = subprocess.run([self.root / "scripts/run-main-job", self.root], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        return done.returncode, done.stdout, [call for call in calls if call.startswith("run")]

    def test_synthetic_recordings(self):
        status, text, runs = self.job()
        self.assertEqual(status, 0, text)
        for words in ("recordings: SYNTHETIC", "memory: secret", "S00001,1,labelled N", "tables"):
            self.assertIn(words, text)
        self.assertTrue(all("--memory secret" in run for run in runs))
        verbs = [verb for run in runs for verb in ("synth", "train", "evaluate", "predict") if f" {verb} " in run]
        self.assertEqual(verbs, ["synth", "train", "evaluate", "predict"])

    def test_no_secret_memory_is_said_with_the_way_out(self):
        status, text, runs = self.job("no")
        self.assertEqual((status, runs), (1, []))
        for words in ("no       secret", "secret memory does not work here", "make run MEMORY=insecure-none"):
            self.assertIn(words, text)

    def test_without_protection(self):
        for secret in ("yes", "no"):
            with self.subTest(secret):
                status, text, runs = self.job(secret, MEMORY="insecure-none")
                self.assertEqual(status, 0, text)
                self.assertIn("--memory insecure-none", runs[-1])

    def test_recordings_that_are_named(self):
        data = self.root / "named"
        (data / "training2017").mkdir(parents=True)
        (data / "labels.csv").write_text("record,label,split\nA00005,N,test\n")
        status, text, runs = self.job(CELLA_ECG_DATA=str(data))
        self.assertEqual(status, 0, text)
        self.assertIn(str(data), text)
        self.assertIn("/data/training2017/A00005.mat", runs[-1])

    def test_a_name_that_is_mistyped(self):
        status, text, runs = self.job(CELLA_ECG_DATA=str(self.root / "nmaed"))
        self.assertEqual((status, runs), (1, []))
        self.assertIn("nmaed", text)


if __name__ == "__main__":
    unittest.main()
