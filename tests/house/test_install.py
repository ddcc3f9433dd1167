#!/usr/bin/python3
"""Does scripts/install-deps install what is missing, nothing else, and say why it cannot?"""
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WANTED = re.findall(r"^([a-z0-9]\S*)", (ROOT / "scripts/packages.txt").read_text(), re.M)

# Stand-ins: dpkg-query knows the packages in $STATE; apt-get notes its arguments, and installs.
DPKG_QUERY = """#!/bin/sh
shift 3
for package; do grep -qx "$package" "$STATE" && echo "installed $package"; done
exit 1
"""
APT_GET = """#!/bin/sh
echo "$*" >>"$STATE.log"
case " $* " in *" $REFUSE "*) exit 100 ;; *" update "*) exit 0 ;; esac
for word; do case $word in -*|*::*|install) ;; *) echo "$word" >>"$STATE" ;; esac; done
"""


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bin = Path(folder.name, "bin")
        self.bin.mkdir()
        self.state = Path(folder.name, "installed")
        self.uid = 0
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("id", "#!/bin/sh\necho $UID_\n")):
            self.provide(name, text)
        for name in ("sh", "sed", "dirname", "grep", "env"):
            self.provide(name, f'#!/bin/sh\nexec /usr/bin/{name} "$@"\n')

    def provide(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def install(self, installed, refuse="nothing", **env):
        self.state.write_text("".join(f"{package}\n" for package in installed))
        env = {"PATH": str(self.bin), "STATE": str(self.state), "REFUSE": refuse, "UID_": str(self.uid), **env}
        done = subprocess.run([ROOT / "scripts/install-deps"], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        log = Path(f"{self.state}.log")
        return done.returncode, done.stdout, log.read_text() if log.exists() else ""

    def test_nothing_is_missing(self):
        self.assertEqual(self.install(WANTED), (0, "", ""))

    def test_what_is_missing_is_installed(self):
        status, text, log = self.install(WANTED[2:])
        self.assertEqual(status, 0, text)
        self.assertIn("update", log.splitlines()[0])
        self.assertTrue(log.splitlines()[1].endswith(f"--no-install-recommends {WANTED[0]} {WANTED[1]}"), log)

    def test_a_package_whose_name_begins_alike_does_not_count(self):
        self.assertIn("clang-19", WANTED)
        _, _, log = self.install([package for package in WANTED if package != "clang-19"])
        self.assertTrue(log.endswith(" clang-19\n"), log)

    def test_no_network_for_the_lists(self):
        status, text, _ = self.install(WANTED[1:], refuse="update")
        self.assertEqual(status, 0)
        self.assertIn("apt-get update failed", text)

    def test_apt_refuses(self):
        status, text, _ = self.install(WANTED[1:], refuse="install")
        self.assertEqual(status, 1)
        self.assertIn(f"could not install: {WANTED[0]}", text)

    def test_an_ordinary_user_without_sudo(self):
        self.uid = 1000
        status, text, log = self.install(WANTED[1:])
        self.assertEqual((status, log), (1, ""))
        self.assertIn(f"apt-get install --no-install-recommends {WANTED[0]}", text)

    def test_an_ordinary_user_with_sudo(self):
        self.uid = 1000
        self.provide("sudo", '#!/bin/sh\necho sudo >>"$STATE.log"\nexec "$@"\n')
        status, _, log = self.install(WANTED[1:])
        self.assertEqual(status, 0)
        self.assertEqual(log.splitlines().count("sudo"), 2)

    def test_told_not_to_install(self):
        status, text, log = self.install(WANTED[1:], CELLA_NO_INSTALL="1")
        self.assertEqual((status, log), (1, ""))
        self.assertIn(f"missing: {WANTED[0]}", text)

    def test_another_system(self):
        (self.bin / "apt-get").unlink()
        status, text, _ = self.install([])
        self.assertEqual(status, 0)
        self.assertIn("no Debian", text)

    def test_every_package_is_explained(self):
        for line in (ROOT / "scripts/packages.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r"^[a-z0-9.+-]+ +\S")
        document = (ROOT / "docs/dependencies.md").read_text()
        for package in WANTED:
            self.assertIn(f"`{package}`", document)


if __name__ == "__main__":
    unittest.main()
