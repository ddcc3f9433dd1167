#!/usr/bin/env python3
# as: root user
"""What does cella session import-scone make of sessions as SCONE's users have them: is every field that does not come
over as it stands remarked at its line, is what comes out a session that cella session check accepts once its
placeholders are filled in, and is it the one that somebody who knows both languages would write?

Comments in the sessions say which remarks belong to their line: "#= KIND PART OF THE TEXT; KIND ...". There are no
others."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
DOCS = Path(os.environ["CELLA_SOURCE"]) / "docs"
CERTIFICATE = re.search(r"( *-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)\n",
                        (DOCS / "reference/session.md").read_text(encoding="utf-8"), re.S)[1]
KINDS = ("translated", "changed", "added", "left out", "fill in", "unknown")
CELL, KEY = "3f786850e387550fdab836ed7e6dc881de23001b" * 2 + "3f786850e387550f", "89e6c98d92887913cadf06b2adb97f26" * 2


def indented(text, blanks):
    return "\n".join(" " * blanks + line.strip() for line in text.splitlines())


FLASK = """\
name: clinic/flask
version: "0.3.10"
predecessor: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  #= left out other hashes
security:
  attestation:
    tolerate: [hyperthreading, outdated-tcb]  #= left out hyperthreading; left out outdated-tcb
    ignore_advisories: [INTEL-SA-00161]  #= left out ignore_advisories
services:  #= added machine: [snp, tdx, sgx]
  - name: api
    image_name: api_image
    mrenclaves: [d08b7351eeb8d5c0653d32794218f183ac9c6fa3923b67052752f78a3559de61]  #= fill in mrenclave d08b7351eeb8d5c0...
    command: python3 /app/api.py --title "two words" --key $$SCONE::token$$  #= translated "python3" is what runs; translated 1 reference
    pwd: /app/
    environment:
      LANG: C
      DB_KEY: $$SCONE::db_key:hex$$  #= translated 1 reference
      SCONE_MODE: hw  #= left out SCONE_MODE
      EMPTY:  #= changed no value
    fspf_path: /fspf/fs.fspf  #= left out fspf_path
    fspf_key: 66e7935397249112d1148e6ce98a396a8c96b3b0ae70708c16ff284c66f0821e  #= left out fspf_key
    fspf_tag: 5a0fe9bdcfed5c0391a707e05f6cfbeb  #= left out fspf_tag
volumes:
  - name: patients  #= added access: rw
    fspf_key: f843051d21afa9e52a5b54a708a8032bc49581e982696a81393b8da4a32d00b8  #= left out make the volume anew
    fspf_tag: 8d8fbe332fb9c893020be791ccd3e8a8  #= left out make the volume anew
  - name: models  #= changed at its first use
images:
  - name: api_image
    volumes:
      - name: patients
        path: /patients  #= translated stands at the volume
      - name: models
        path: /models  #= translated stands at the volume
        update_policy: ephemeral  #= changed access is ro
    injection_files:
      - path: /etc/app.ini
        permission: 0o400  #= left out permission
        content: |  #= translated 1 reference
          [db]
          token = $$SCONE::token$$
      - /etc/old.conf  #= fill in content
secrets:
  - name: token  #= added size: 20
    kind: ascii
  - name: db_key
    kind: binary
    size: 32
  - name: greeting
    kind: ascii
    value: s3cret
"""
FLASK_HERE = f"""\
name: clinic/flask
version: "0.1"
services:
  - name: api
    image_name: api_image
    attestation: [{{cell: [{CELL}], machine: [snp, tdx, sgx]}}]
    command: [/app/api.py, --title, two words, --key, $$CELLA::token$$]
    pwd: /app
    environment: {{LANG: C, DB_KEY: "$$CELLA::db_key:hex$$", EMPTY: ""}}
volumes:
  - {{name: patients, path: /patients, access: rw}}
  - {{name: models, path: /models}}
images:
  - name: api_image
    volumes: [patients, models]
    injection_files:
      - path: /etc/app.ini
        content: "[db]\\ntoken = $$CELLA::token$$\\n"
      - {{path: /etc/old.conf, content: FILLED}}
secrets:
  - {{name: token, kind: ascii, size: 20}}
  - {{name: db_key, kind: binary, size: 32}}
  - {{name: greeting, kind: ascii, value: s3cret}}
"""

NGINX = f"""\
name: web
version: "0.3"
creator: |
{indented(CERTIFICATE, 2)}
services:
  - name: nginx
    image_name: registry.example/nginx:1.25
    attestation:
      - mrenclave: 2c4de8cbe6725f7e11f2f5240bc7e0b7fe0651f2997a48c87ca38918574ef076  #= fill in mrenclave
        signer:
          mrsigner: ce24e0918a348837738a18c4ce7a3afe3aed8acb58ee6ddb6031a570a1e1401c  #= fill in mrsigner
          isvprodid: 6  #= left out isvprodid
          isvsvn_min: 2  #= left out isvsvn_min
    platforms: [2c45c8294d491808aa9b2a6bca01b8e185ffc69266c833546e5dca1c676a6151]  #= fill in platform
    command: [nginx, -g, daemon off;]  #= translated "nginx" is what runs
    pwd: /
images:
  - name: registry.example/nginx:1.25  #= changed "registry.example-nginx-1.25"
    injection_files:
      - path: /etc/nginx/nginx.conf
        content: |
          server {{
          \tlisten 443 ssl;

          \tssl_certificate /tls/web.crt;
          }}
      - path: /tls/web.crt
        content: "$$SCONE::web:crt$$$$SCONE::web:chain$$"  #= translated 2 references
      - path: /tls/web.key
        content: $$SCONE::web:privatekey:pem$$  #= translated 1 reference
      - path: /tls/old
        content: $$SCONE::alone.crt$$$$SCONE::alone.key$$$$SCONE::alone.chain$$  #= translated 3 references
      - path: /tls/web.der
        content: $$SCONE::web:crt:der$$  #= fill in web:crt:der
secrets:
  - name: ca_key
    kind: private-key
    key_type: P-384  #= changed P-256
    migrate: true  #= changed stays
  - name: ca  #= added common_name: "ca"; changed ten years
    kind: x509-ca
    private_key: ca_key
    export_public: true  #= left out export_public
  - name: web_key
    kind: private-key
  - name: web  #= added common_name: "web.example"
    kind: x509
    private_key: web_key
    issuer: ca
    endpoint: server
    san:  #= translated dns
      - "dns:web.example"
      - "dns:*.web.example"  #= left out '*'
      - "ip:192.0.2.1"  #= left out DNS names alone
    valid_for: 4weeks 12h  #= translated "684h"
  - name: alone  #= added "alone-key"; added "alone-ca"; added common_name; changed endpoint; changed 90 days
    kind: x509
  - name: given
    kind: x509
    valid_for: 1 year  #= left out valid_for
    value: |
{indented(CERTIFICATE, 6)}
security:
  attestation:
    tolerate: [debug-mode]  #= changed debug-mode
access_policy:
  read:
    - CREATOR
    - |
{indented(CERTIFICATE, 6)}
  update:
    require-at-least-2:  #= translated at_least
      - CREATOR
      - signer: |  #= fill in signer
          -----BEGIN PUBLIC KEY-----
          MCowBQYDK2VwAyEAOsufQ7RCOXueVLQBpk7Y44GAaj+LzPbmHfdr/TPdlrE=
          -----END PUBLIC KEY-----
      - require-all: [a, b]  #= fill in inside of another one
  create_sessions: [NONE]  #= translated create
"""
NGINX_HERE = f"""\
name: web
version: "0.1"
creator: |
{indented(CERTIFICATE, 2)}
services:
  - name: nginx
    image_name: registry.example-nginx-1.25
    attestation: [{{cell: {CELL}, builder: {KEY}, las: {KEY}}}]
    command: [-g, daemon off;]
    pwd: /
images:
  - name: registry.example-nginx-1.25
    injection_files:
      - path: /etc/nginx/nginx.conf
        content: "server {{\\n\\tlisten 443 ssl;\\n\\n\\tssl_certificate /tls/web.crt;\\n}}\\n"
      - {{path: /tls/web.crt, content: "$$CELLA::web$$$$CELLA::ca$$"}}
      - {{path: /tls/web.key, content: "$$CELLA::web_key$$"}}
      - {{path: /tls/old, content: "$$CELLA::alone$$$$CELLA::alone-key$$$$CELLA::alone-ca$$$$CELLA::alone$$"}}
      - {{path: /tls/web.der, content: FILLED}}
secrets:
  - {{name: ca_key, kind: private-key}}
  - {{name: ca, kind: x509-ca, private_key: ca_key, common_name: ca}}
  - {{name: web_key, kind: private-key}}
  - {{name: web, kind: x509, private_key: web_key, issuer: ca, common_name: web.example, endpoint: server,
     dns: web.example, valid_for: 684h}}
  - {{name: alone, kind: x509, private_key: alone-key, issuer: alone-ca, common_name: alone}}
  - {{name: alone-key, kind: private-key}}
  - {{name: alone-ca-key, kind: private-key}}
  - {{name: alone-ca, kind: x509-ca, private_key: alone-ca-key, common_name: alone}}
  - name: given
    kind: x509
    value: |
{indented(CERTIFICATE, 6)}
access_policy:
  read:
    - CREATOR
    - |
{indented(CERTIFICATE, 6)}
  update: {{at_least: 2, of: [CREATOR, {KEY}, {KEY[::-1]}]}}
  create: NONE
"""

SHARED = """\
name: a/b/shared
version: "0.3.6"
digest: create  #= left out digest
secrets:
  - name: theirs  #= added kind: private-key
    import: {session: ../keys, secret: k}  #= translated "a/b/keys"; translated secret
  - name: public
    kind: public-key
    private_key: theirs  #= fill in imported
  - {name: own, kind: private-key, key_type: P-256}
  - {name: cert, kind: x509, private_key: own, issuer: root, endpoint: client, common_name: c, valid_for: 9d}
  - {name: root, kind: x509-ca, private_key: own, common_name: Root, valid_for: 3650d}
  - name: their_ca
    kind: x509-ca
    import:
      session: keys
  - name: issued
    kind: x509
    private_key: own
    issuer: their_ca  #= fill in no private key
    endpoint: server
    common_name: c
    valid_for: 9d
  - name: given_away
    kind: binary
    value: CAFE0001
    export:
      - session: ./nested  #= translated "a/b/shared/nested"
      - namespace: partners  #= left out no single session
      - /session=other
      - cas.example/cas_key=46Yy,session=far  #= left out
volumes:
  - name: forest  #= added access: rw
    import:
      session: lab
      volume: trees  #= translated name
    export: {session: x}  #= left out not exported again
  - name: out  #= changed at its first use
    export:
      - to: {session: reader}
        volume_alias: input  #= changed no aliases
      - to: {session: guest}  #= left out only be read
        update_policy: ephemeral
images:
  - name: i
    volumes:
      - {name: forest, path: /forest}  #= translated stands at the volume
      - name: out
        path: /out  #= translated stands at the volume
        update_policy: no_rollback_protection  #= translated "none"; added access: rw
access_policy:  #= changed create_sessions
  read: [ANY]
  update: CREATOR
"""
SHARED_HERE = """\
name: a/b/shared
version: "0.1"
secrets:
  - {name: theirs, kind: private-key, import: {session: a/b/keys, name: k}}
  - {name: public, kind: public-key, private_key: own}
  - {name: own, kind: private-key}
  - {name: cert, kind: x509, private_key: own, issuer: root, endpoint: client, common_name: c, valid_for: 9d}
  - {name: root, kind: x509-ca, private_key: own, common_name: Root, valid_for: 3650d}
  - {name: their_ca, kind: x509-ca, import: {session: keys}}
  - {name: issued, kind: x509, private_key: own, issuer: root, endpoint: server, common_name: c, valid_for: 9d}
  - {name: given_away, kind: binary, value: cafe0001, export: [a/b/shared/nested, other]}
volumes:
  - {name: forest, path: /forest, access: rw, import: {session: lab, name: trees}}
  - {name: out, path: /out, access: rw, update_policy: none, export: reader}
images:
  - {name: i, volumes: [forest, out]}
access_policy: {read: ANY, update: CREATOR}
"""


def session(*arguments, text=""):
    return subprocess.run([CELLA, "session", *arguments], input=text, capture_output=True, text=True, timeout=300,
                          check=False)


def source(text):
    path = Path(os.environ["TMPDIR"]) / "scone.yml"
    path.write_text(text, encoding="utf-8")
    return path


def imported(text):
    """The session, its remarks as (line, column, kind, text), and how many placeholders there are."""
    done = session("import-scone", "--json", source(text))
    if done.returncode:
        raise AssertionError(done.stderr)
    told = json.loads(done.stdout)
    return told["session"], [(r["line"], r["column"], r["kind"], r["text"]) for r in told["remarks"]], \
        told["placeholders"]


def filled(text):
    """With something in each placeholder's stead, of which no two keys are the same."""
    keys = iter((KEY, KEY[::-1]))
    text = re.sub(r'"<cell [^>"]*>"', CELL, text)
    text = re.sub(r'"<(builder|las) [^>"]*>"', KEY, text)
    text = re.sub(r'"<hash of an owner\'s key>"', lambda _: next(keys), text)
    text = text.replace('"<a key in place of theirs>"', "own").replace('"<a CA for their_ca>"', "root")
    return re.sub(r"\$\$CELLA::<[^>]*>\$\$", "FILLED", text)


def expected(text):
    """What the comments say: for each line its kinds and parts of texts."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#= ")[2].split("; ") if "#= " in line else []:
            kind = next(k for k in KINDS if word.startswith(k))
            found.append((number, kind, word[len(kind):].strip()))
    return found


class Sessions(unittest.TestCase):
    def compare(self, text, here, placeholders):
        ours, remarks, count = imported(text)
        told = [(line, kind) for line, _, kind, _ in remarks]
        self.assertEqual(sorted(told), sorted((line, kind) for line, kind, _ in expected(text)), remarks)
        for line, kind, part in expected(text):
            self.assertTrue(any((line, kind) == (l, k) and part in t for l, _, k, t in remarks), (line, kind, part))
        self.assertEqual(count, placeholders)
        done = session("check", "-", text=ours)
        self.assertEqual(done.returncode, 1 if placeholders else 0, done.stderr)
        wrong = done.stderr.splitlines()
        self.assertEqual(len(wrong), placeholders, "check names each placeholder")
        for line in wrong:
            number = int(line.split(":")[1])
            self.assertIn("<", ours.splitlines()[number - 1])
        done, want = session("calculate-hash", "-", text=filled(ours)), session("calculate-hash", "-", text=here)
        self.assertEqual((want.returncode, want.stderr), (0, ""))
        self.assertEqual((done.returncode, done.stderr), (0, ""), filled(ours))
        self.assertEqual(done.stdout, want.stdout, filled(ours))

    def test_a_python_service_with_volumes_and_secrets(self):
        self.compare(FLASK, FLASK_HERE, 2)

    def test_nginx_with_certificates(self):
        self.compare(NGINX, NGINX_HERE, 6)

    def test_imports_and_exports(self):
        self.compare(SHARED, SHARED_HERE, 2)

    def test_one_with_nothing_to_fill_in(self):
        ours, _, count = imported('name: s\nversion: "0.3"\nsecrets: [{name: a, kind: binary, size: 8}]\n')
        self.assertEqual(count, 0)
        self.assertEqual(session("check", "-", text=ours).returncode, 0)

    def test_hashes_of_other_sessions(self):
        text = SHARED.replace("{session: ../keys, secret: k}", "{session: keys, secret: k, session_hash: 66ab}")
        ours, remarks, count = imported(text)
        self.assertEqual(count, 3)
        self.assertIn("<hash of the session keys>", ours)
        self.assertIn((6, 40, "fill in"), [r[:3] for r in remarks])


class Page(unittest.TestCase):
    """Is what docs/migrate/scone.md shows what happens?"""

    def test_the_example(self):
        page = (DOCS / "migrate/scone.md").read_text(encoding="utf-8")
        theirs, ours = (re.search(rf"^```yaml {kind}\n(.*?)^```$", page, re.M | re.S)[1] for kind in ("scone", "cella"))
        path = source(theirs)
        done = session("import-scone", path)
        self.assertEqual((done.returncode, done.stdout), (0, ours))
        shown = re.search(r"^\$ cella session import-scone .*?\n(.*?)^```$", page, re.M | re.S)[1]
        self.assertEqual(done.stderr.replace(str(path), "hospital-scone.yml"), shown)


class Strength(unittest.TestCase):
    """What comes out gives the secrets to nobody whom the source refuses."""
    SERVICE = 'name: s\nversion: "0.3"\nservices:\n  - name: a\n    command: p\n'

    def test_nobody_gets_in_by_omission(self):
        for text, places in ((self.SERVICE, 1),
                             (self.SERVICE + "security: {attestation: {mode: none}}\n", 1),
                             (self.SERVICE + "    mrenclaves: []\n", 1),
                             (self.SERVICE + "    attestation: [$$SCONE::policy$$, {}]\n", 2),
                             (self.SERVICE + "    attestation: {signer: {isvprodid: 1}}\n", 1)):
            with self.subTest(text):
                ours, _, count = imported(text)
                self.assertEqual(count, places, ours)
                self.assertEqual(session("check", "-", text=ours).returncode, 1)

    def test_hardware(self):
        for rest, wanted in (("", True), ("    tolerate: [hyperthreading]\n", True), ("    mode: hardware\n", True),
                             ("    mode: maa\n", True), ("    mode: none\n", False),
                             ("    tolerate: [debug-mode]\n", False)):
            with self.subTest(rest):
                security = f"security:\n  attestation:\n{rest}" if rest else ""
                ours, _, _ = imported(security + self.SERVICE)
                self.assertEqual("machine: [snp, tdx, sgx]" in ours, wanted)

    def test_a_literal_mark_of_ours_becomes_no_reference(self):
        ours, _, count = imported(self.SERVICE + "    environment: {A: $$CELLA::k$$}\n    mrenclaves: [ab]\n"
                                  "secrets: [{name: k, kind: ascii, size: 8}]\n")
        self.assertEqual(count, 2)
        self.assertNotIn("$$CELLA::k$$", ours)

    def test_policies_in_secrets(self):
        ours, _, count = imported('name: s\nversion: "0.3"\naccess_policy: $$SCONE::policy$$\n')
        self.assertEqual(count, 2, ours)
        self.assertEqual(session("check", "-", text=ours).returncode, 1)


class Input(unittest.TestCase):
    def test_standard_input(self):
        done = session("import-scone", "-", text=FLASK)
        self.assertEqual((done.returncode, done.stdout), (0, session("import-scone", source(FLASK)).stdout), done.stderr)
        self.assertRegex(done.stderr, r"(?m)^-:\d+:\d+: ")


class Mistakes(unittest.TestCase):
    def refuse(self, text, *told):
        done = session("import-scone", source(text))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        for part in told:
            self.assertIn(part, done.stderr)
        return done.stderr

    def test_unknown_fields(self):
        text = "\n".join(("name: s", 'version: "0.3"', "servces: []", "services:", "  - name: a", "    comand: x",
                          "    mrenclaves: [ab]", "    zzz: 1", "secrets:", "  - name: b", "    kind: ascii",
                          "    size: 4", "    sise: 4", "security:", "  attestation:", "    moda: x", ""))
        _, remarks, _ = imported(text)
        unknown = [(line, column, told) for line, column, kind, told in remarks if kind == "unknown"]
        self.assertEqual([(line, column) for line, column, _ in unknown], [(3, 1), (6, 5), (8, 5), (13, 5), (16, 5)])
        for (_, _, told), part in zip(unknown, ('"services"', '"command"', "zzz: no such field", '"size"', '"mode"')):
            self.assertIn(part, told)

    def test_what_is_no_session(self):
        self.refuse("name: s\nservices: [", "scone.yml:3:1: this is not YAML")
        self.refuse("name: s\nsecret_config:\n  store_in: !akv\n    token: x\n", "scone.yml:3:13: tags (!)")
        self.refuse("name: s\nservices: &a [1]\n", "scone.yml:2:11: anchors and aliases")
        self.refuse("", "scone.yml:1:1: it is empty")
        self.refuse("[a, b]", "scone.yml:1:1: a session is a map of fields")

    def test_what_no_session_can_say(self):
        text = 'name: s\nversion: "0.3"\nsecrets:\n  - name: a\n    kind: ascii\n    value: "\u00e9"\n' \
               "  - name: a\n    kind: binary\n    value: xyz-s3cret\n  - name: c\n    kind: x509\n" \
               "    private_key: nokey\n    issuer: a\n"
        told = self.refuse(text, ":6:5: an ascii secret has characters of ASCII alone", ":9:5: the value of a binary secret",
                           ':12:5: there is no secret "nokey"', ':7:11: two secrets have the name "a"; the other one begins in line 4')
        self.assertNotIn("s3cret", told)

    def test_values_are_in_no_remark(self):
        done = session("import-scone", source(FLASK))
        self.assertEqual(done.returncode, 0)
        self.assertIn("s3cret", done.stdout)
        self.assertNotIn("s3cret", done.stderr)
        for key in re.findall(r"fspf_key: (\w+)", FLASK):
            self.assertNotIn(key[:8], done.stdout + done.stderr)

    def test_text_and_json_say_the_same(self):
        ours, remarks, count = imported(NGINX)
        path = source(NGINX)
        done = session("import-scone", path)
        self.assertEqual((done.returncode, done.stdout), (0, ours))
        self.assertEqual(done.stderr.splitlines(),
                         [f"{path}:{line}:{column}: {kind}: {text}" for line, column, kind, text in remarks] +
                         [f"{path}: {count} placeholders to fill in: what stands between < and >"])

    def test_use(self):
        for arguments, status, says in ((["import-scone"], 2, "import-scone wants 1 operand"),
                                        (["import-scone", "/no/such"], 1, "/no/such"),
                                        (["import-scon", "-"], 2, "did you mean import-scone?")):
            with self.subTest(arguments):
                done = session(*arguments)
                self.assertEqual((done.returncode, done.stdout), (status, ""))
                self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
