#!/usr/bin/python3
"""Does the test runner count rightly, fail when it must, and leave nothing running?"""
import importlib.machinery
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPERVISE = ROOT / "tests/supervise"
IDENTITY = "root" if os.geteuid() == 0 else "user"


def supervise(seconds, script, grace=60):
    return subprocess.run([SUPERVISE, str(seconds), "sh", "-c", script], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, "SUPERVISE_GRACE_S": str(grace)})


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Supervise(unittest.TestCase):
    def test_the_status_is_the_commands(self):
        for script, status in (("exit 0", 0), ("exit 77", 77), ("kill -9 $$", 137)):
            with self.subTest(script):
                self.assertEqual(supervise(60, script).returncode, status)

    def test_a_command_that_does_not_exist(self):
        done = subprocess.run([SUPERVISE, "10", "/no/such/command"], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 127)
        self.assertIn("/no/such/command", done.stderr)

    def test_the_time_is_over(self):
        done = supervise(5, "setsid sleep 1000 & echo $!; sleep 1000")
        self.assertEqual(done.returncode, 124)
        self.assertFalse(is_running(int(done.stdout)))

    def test_what_is_left_running_is_named_and_killed(self):
        done = supervise(60, "setsid sh -c 'sleep 1000 & echo $!' & exit 0", grace=3)
        self.assertEqual(done.returncode, 123)
        self.assertIn("sleep", done.stderr)
        self.assertFalse(is_running(int(done.stdout)))

    def test_nohup_is_not_for_the_tests(self):
        done = subprocess.run(["nohup", SUPERVISE, "60", "sh", "-c", "kill -HUP $$; exit 0"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 129)

    def test_what_ends_by_itself_is_waited_for(self):
        self.assertEqual(supervise(60, "setsid sleep 0.5 & exit 0").returncode, 0)

    def test_the_supervisor_takes_all_along_when_it_is_ended(self):
        with subprocess.Popen([SUPERVISE, "100", "sh", "-c", "setsid sleep 1000 & echo $!; exec sleep 1000"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            pid = int(running.stdout.readline())
            self.assertTrue(is_running(pid))
            running.send_signal(signal.SIGTERM)
            running.wait()
        self.assertFalse(is_running(pid))


class Runner(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir="/tmp")  # where an ordinary user can go
        self.addCleanup(self.folder.cleanup)
        self.tests = Path(self.folder.name, "tests")
        self.tests.mkdir()
        os.chmod(self.folder.name, 0o755)

    def add(self, name, script):
        path = self.tests / f"{name}.sh"
        identity = "" if "# as:" in script else f"# as: {IDENTITY}\n"
        path.write_text("#!/bin/sh\n" + identity + script + "\n")
        path.chmod(0o755)

    def run_all(self, skips="", *options):
        allow = Path(self.folder.name, "skips.allow")
        allow.write_text(skips)
        build = os.environ.get("CELLA_BUILD", str(ROOT / "build"))
        env = {**os.environ, "TMPDIR": self.folder.name, "SUPERVISE_GRACE_S": "5"}
        done = subprocess.run([ROOT / "tests/run", "--build", build, "--integration", self.tests, "--skips", allow,
                               *options, "integration/*"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False)
        lines = done.stdout.splitlines()
        return done.returncode, lines[-1], done.stdout

    def test_all_passed(self):
        self.add("one", "exit 0")
        self.add("two", "test -d $TMPDIR && test -d $CELLA_BUILD && test -d $CELLA_SOURCE")
        self.assertEqual(self.run_all()[:2], (0, "2 passed, 0 failed, 0 skipped"))

    def test_a_failure_is_shown_and_counted(self):
        self.add("one", "exit 0")
        self.add("two", "echo the reason; exit 3")
        status, last, text = self.run_all()
        self.assertEqual((status, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("| the reason", text)
        self.assertIn(f"failed: integration/two@{IDENTITY}", text)

    def test_a_skip_fails_unless_it_is_allowed(self):
        self.add("one", "exit 0")
        self.add("two", "echo much; echo no such kernel; exit 77")
        status, last, text = self.run_all()
        self.assertEqual((status, last), (1, "1 passed, 0 failed, 1 skipped"))
        self.assertIn(f"skipped integration/two@{IDENTITY}: no such kernel", text)
        self.assertEqual(self.run_all("integration/two@* # old kernels\n")[0], 0)
        self.assertEqual(self.run_all("# integration/two@*\n")[0], 1)
        self.assertEqual(self.run_all("integration/tw\n")[0], 1)

    def test_a_skipped_part_counts_beside_the_test(self):
        self.add("one", "echo 'ok all'; echo 'skipped: perf: not in this kernel'; exit 0")
        status, last, text = self.run_all()
        self.assertEqual((status, last), (1, "1 passed, 0 failed, 1 skipped"))
        self.assertIn(f"skipped integration/one@{IDENTITY}:perf: not in this kernel", text)
        self.assertIn(f"not named in tests/skips.allow: integration/one@{IDENTITY}:perf", text)
        self.assertEqual(self.run_all("integration/one@*:perf\n")[0], 0)
        self.assertEqual(self.run_all("integration/one@*:bpf\n")[0], 1)
        self.add("one", "echo 'skipped: perf: not here'; echo no kernel; exit 77")
        self.assertEqual(self.run_all("integration/one*\n")[1], "0 passed, 0 failed, 1 skipped")

    def test_nothing_run_is_no_success(self):
        self.assertEqual(self.run_all()[:2], (1, "0 passed, 0 failed, 0 skipped"))

    def test_time_outs_and_leftovers_fail(self):
        self.add("slow", "# timeout: 1\nsleep 10000")
        self.add("left", "sleep 10000 &")
        self.assertEqual(self.run_all()[1], "0 passed, 2 failed, 0 skipped")

    def test_repeat(self):
        self.add("one", "exit 0")
        self.assertEqual(self.run_all("", "--repeat", "3")[1], "3 passed, 0 failed, 0 skipped")

    def test_an_ordinary_user_skips_what_needs_root(self):
        self.add("one", "# as: root user\nexit 0")
        status, last, _ = self.run_all("user: integration/*@root\n")
        expected = "2 passed, 0 failed, 0 skipped" if IDENTITY == "root" else "1 passed, 0 failed, 1 skipped"
        self.assertEqual((status, last), (0, expected))

    @unittest.skipUnless(IDENTITY == "root", "needs root")
    def test_identities(self):
        self.add("who", "# as: root user memlock\necho uid=$(id -u) locked=$(ulimit -l); touch $TMPDIR/x; ls $CELLA_SOURCE/Makefile; exit 1")
        _, last, text = self.run_all()
        self.assertEqual(last, "0 passed, 3 failed, 0 skipped")
        self.assertIn("| uid=0 ", text)
        self.assertIn("| uid=65534 locked=8192", text)
        self.assertNotIn("Permission denied", text)


def load_runner():
    loader = importlib.machinery.SourceFileLoader("runner", str(ROOT / "tests/run"))
    runner = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    sys.modules["runner"] = runner
    sys.dont_write_bytecode = True
    loader.exec_module(runner)
    return runner


class Tap(unittest.TestCase):
    def test_what_an_emulator_lacks_is_skipped_and_nothing_else(self):
        runner = load_runner()
        text = "1..3\nok 1 - one\nnot ok 2 - two\nnot ok 3 - three\n"
        outcome = runner.Outcome()
        runner.read_tap(runner.Test("aarch64/x", [], gaps={"aarch64/x:t*o": "why"}), outcome, 2, text)
        self.assertEqual((outcome.passed, outcome.failed, outcome.skipped),
                         (1, ["aarch64/x:three"], [("aarch64/x:two", "why")]))
        outcome = runner.Outcome()
        runner.read_tap(runner.Test("aarch64/x", [], gaps={"aarch64/x:*": "why"}), outcome, -11, text[:15])
        self.assertEqual(len(outcome.failed), 1, "it ended early")

    def test_a_status_counts_beside_skips(self):
        runner = load_runner()
        text = "1..2\nok 1 - one\n# skipped: two: why\nnot ok 2 # SKIP two\n"
        for status, failed in ((0, 0), (1, 1), (-11, 1)):
            with self.subTest(status):
                outcome = runner.Outcome()
                runner.read_tap(runner.Test("unit/x", []), outcome, status, text)
                self.assertEqual((outcome.passed, len(outcome.failed), outcome.skipped), (1, failed, [("unit/x:two", "why")]))


if __name__ == "__main__":
    unittest.main()
