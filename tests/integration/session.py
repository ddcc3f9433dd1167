#!/usr/bin/env python3
# as: root user
"""Is every example in docs/reference/session.md a session, and does every field of the language have one? What
does cella session say and answer, in text and in JSON?

Examples are added to the first one of the page: a field of the session takes the place of its, items of a
list follow its; what is marked `service` or `alternative` makes one more service."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
DOCS = Path(os.environ["CELLA_SOURCE"]) / "docs"
BLOCK = re.compile(r"^```yaml *(\w*)\n(.*?)^```$", re.M | re.S)
HEAD = "name: s\nversion: 0.1\n"
LISTS = ("secrets", "volumes", "images", "services")
# A place for an unknown field in each kind of map.
MAPS = {
    "a session": "{}",
    "a service": "services: [{}]",
    "an alternative": "services:\n- name: a\n  attestation: [{}]",
    "a secret": "secrets: [{}]",
    "a volume": "volumes: [{}]",
    "an image": "images: [{}]",
    "a file": "images: [{{name: i, injection_files: [{}]}}]",
    "an import": "secrets: [{{name: a, kind: ascii, import: {}}}]",
    "an export": "secrets: [{{name: a, kind: ascii, size: 1, export: {}}}]",
    "access_policy": "access_policy: {}",
    "a right": "access_policy: {{read: {}}}",
}


def session(*arguments, text=""):
    return subprocess.run([CELLA, "session", *arguments], input=text, capture_output=True, text=True, timeout=300,
                          check=False)


def fields(text):
    """Of a session's text: each top-level field with its lines, and what stands before the first."""
    found, name = {}, ""
    for line in text.splitlines(keepends=True):
        name = match[1] if (match := re.match(r"(\w+):", line)) else name
        found[name] = found.get(name, "") + line
    return found


def combined(base, kind, text):
    if kind == "alternative":
        text = "attestation:\n" + "".join(f"  {'- ' if i == 0 else '  '}{line}\n"
                                          for i, line in enumerate(text.splitlines()))
        kind = "service"
    if kind == "service":
        rest = "" if "attestation:" in text else "    attestation: [{machine: tpm}]\n"
        text = "services:\n  - name: example\n" + rest + re.sub(r"^", "    ", text, flags=re.M).rstrip() + "\n"
    whole = fields(base)
    for name, lines in fields(text).items():
        whole[name] = whole[name] + lines.partition("\n")[2] if name in LISTS and name in whole else lines
    return "".join(whole.values())


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        page = (DOCS / "reference/session.md").read_text(encoding="utf-8")
        cls.blocks = [(kind, text) for kind, text in BLOCK.findall(page)]
        cls.base = cls.blocks[0][1]

    def test_each_is_a_session(self):
        self.assertGreater(len(self.blocks), 20)
        for kind, text in self.blocks:
            with self.subTest(text=text):
                whole = self.base if text == self.base else combined(self.base, kind, text)
                done = session("check", "-", text=whole)
                self.assertEqual((done.returncode, done.stderr), (0, ""), whole)

    def test_each_changes_the_session(self):
        plain = session("calculate-hash", "-", text=self.base).stdout
        for kind, text in self.blocks[2:]:
            with self.subTest(text=text):
                self.assertNotEqual(plain, session("calculate-hash", "-", text=combined(self.base, kind, text)).stdout)

    def test_every_field_has_one(self):
        examples = "\n".join(re.sub(r"#.*", "", text) for _, text in self.blocks)
        for what, place in MAPS.items():
            unknown = place.format("{no_such_field: 1}") if place != "{}" else "no_such_field: 1"
            done = session("check", "--json", "-", text=HEAD + unknown)
            told = [m["text"] for m in json.loads(done.stdout)["mistakes"] if "no_such_field" in m["text"]]
            self.assertEqual(len(told), 1, f"{what}: {done.stdout}")
            for name in told[0].partition("Its fields: ")[2].split(", "):
                with self.subTest(f"{what}: {name}"):
                    self.assertRegex(examples, rf"(?m)(^|[\s{{-]){name}:")


class Protocol(unittest.TestCase):
    def test_the_vector(self):
        page = (DOCS / "protocols/session.md").read_text(encoding="utf-8")
        (kind, text), = BLOCK.findall(page)
        self.assertEqual(kind, "vector")
        self.assertIn(f"SHA-384: `{session('calculate-hash', '-', text=text).stdout.strip()}`", page)


class Commands(unittest.TestCase):
    def test_check(self):
        done = session("check", "-", text=HEAD + "secrets: [{name: a, kind: ascii, size: 8}]\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\A-: session s: 0 services, 1 secret, 0 volumes, 0 images\n"
                                      r"hash  [0-9a-f]{96}\nnote  secret a: nothing uses it\n\Z")

    def test_identities(self):
        text = HEAD.replace("name: s", "name: clinic/s") + """services:
  - {name: a, command: x, identity: /own/identity, attestation: [{memory_level: secret}]}
  - {name: b, command: x, attestation: [{memory_level: secret}]}
"""
        told = json.loads(session("check", "--json", "-", text=text).stdout)
        self.assertEqual(told["services"], ["a", "b"])
        self.assertEqual(told["identities"], [{"service": "a", "name": "cella://clinic/s/a", "path": "/own/identity"}])

    def test_json(self):
        text = HEAD + "secrets: [{name: a, kind: ascii, size: 8}]\nvolumes: [{name: v, path: /v}]\n"
        told = json.loads(session("check", "--json", "-", text=text).stdout)
        digest = json.loads(session("calculate-hash", "--json", "-", text=text).stdout)
        self.assertEqual(digest, {"name": "s", "hash": told["hash"]})
        self.assertEqual((told["valid"], told["name"], told["services"], told["identities"]), (True, "s", [], []))
        self.assertEqual(told["secrets"], [{"name": "a", "kind": "ascii", "origin": "generated"}])
        self.assertEqual(told["volumes"], [{"name": "v", "path": "/v", "key": "generated", "writable": False}])
        self.assertEqual(told["remarks"], ["secret a: nothing uses it", "volume v: nothing uses it"])

    def test_mistakes(self):
        path = Path(os.environ["TMPDIR"]) / "wrong.yml"
        path.write_text("nam: s\nversion: 0.1\nsecrets: [{name: a, kind: ascii, value: s3cr3t, sise: 1}]\n")
        for command in ("check", "calculate-hash"):
            done = session(command, path)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"{path}:1:1: a session has no field \"nam\"; did you mean \"name\"?", done.stderr)
            self.assertIn(f"{path}:3:49: a secret has no field \"sise\"; did you mean \"size\"?", done.stderr)
            self.assertNotIn("s3cr3t", done.stderr)
            told = json.loads(session(command, "--json", path).stdout)
            self.assertEqual((told["valid"], told["mistake_count"]), (False, 3))
            self.assertEqual([(m["line"], m["column"]) for m in told["mistakes"]], [(1, 1), (1, 1), (3, 49)])

    def test_use(self):
        for arguments, status, says in (
                (["check", "/no/such"], 1, "cannot open /no/such: No such file or directory"),
                (["check", "/"], 1, "cannot read /: Is a directory"),
                (["chek", "-"], 2, "there is no command chek; did you mean check?"),
                (["check"], 2, "check wants 1 operand\nTry: cella session --help"),
                (["check", "a", "b"], 2, "check wants 1 operand\nTry: cella session --help"),
                (["check", "/dev/zero"], 1, "/dev/zero:1:1: it is larger than 1048576 bytes")):
            with self.subTest(arguments):
                done = session(*arguments)
                self.assertEqual((done.returncode, done.stdout), (status, ""))
                self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
