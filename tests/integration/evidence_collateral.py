#!/usr/bin/env python3
# as: root
"""Does `cella evidence collateral fetch` ask the maker's addresses for what a verification needs, and keep what it
is given only if that is collateral? A server here has the recorded collateral under the makers' paths. The data are
not part of the repository."""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
DATA = Path(os.environ["CELLA_SOURCE"]).parent / "shared/data/attestation"
TDX, SNP = DATA / "tdx", DATA / "snp"
QUOTE, REPORT = TDX / "v4_a.quote.bin", SNP / "milan_c.report.bin"


class Server(http.server.ThreadingHTTPServer):
    """Answers by path, and remembers what it was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = next((body for path, body in self.server.answers.items() if self.path.startswith(path)), None)
        self.send_response(404 if body is None else 200)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


def intel():
    return {
        "/tdx/certification/v4/tcb?fmspc=50806f000000": (TDX / "v4_a.tcb_info.json").read_bytes(),
        "/tdx/certification/v4/qe/identity": (TDX / "v4_a.qe_identity.json").read_bytes(),
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der": (TDX / "v4_a.pck_crl.der").read_bytes(),
        "/IntelSGXRootCA.der": (TDX / "v4_a.root_crl.der").read_bytes(),
    }


def amd(crl):
    return {
        "/vcek/v1/Milan/cert_chain": (SNP / "milan.ask_ark.pem").read_bytes(),
        "/vcek/v1/Milan/crl": crl,
        "/vcek/v1/Milan/": (SNP / "milan_c.vcek.der").read_bytes(),
    }


def cella(*arguments):
    return subprocess.run([CELLA, "evidence", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=300)


class Fetch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.out = Path(self.scratch.name) / "collateral"

    def serve(self, answers):
        server = Server(answers)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def fetch(self, server, tee, evidence, *more):
        return cella("collateral", "fetch", "--tee", tee, "--evidence", evidence, "--out", self.out, "--from", server.url,
                     *more)

    def names(self):
        return sorted(p.name for p in self.out.iterdir()) if self.out.exists() else []

    def test_tdx(self):
        server = self.serve(intel())
        done = self.fetch(server, "tdx", QUOTE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(server.asked), sorted(intel()))
        self.assertEqual(self.names(), ["pck.crl", "qe.json", "root.crl", "tcb.json"])
        policy = Path(self.scratch.name) / "policy"
        policy.write_text('{"tcb_status": {"OutOfDate": "warn"}}', encoding="utf-8")
        done = cella("verify", "--tee", "tdx", "--evidence", QUOTE, "--at", "2023-07-01", "--policy", policy, "--collateral",
                     *sorted(self.out.iterdir()))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_snp(self):
        # AMD's CRL was not recorded: any file that is understood stands for it
        server = self.serve(amd((SNP / "milan.ask_ark.pem").read_bytes()))
        done = self.fetch(server, "snp", REPORT)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--product", done.stderr)
        self.assertEqual(server.asked, [])
        self.assertIn("there is no product milan", self.fetch(server, "snp", REPORT, "--product", "milan").stderr)
        done = self.fetch(server, "snp", SNP / "milan_vlek_v3.report.bin", "--product", "Genoa")
        self.assertEqual((done.returncode, server.asked), (2, []))
        self.assertIn("of a Milan, not of a Genoa", done.stderr)
        done = self.fetch(server, "snp", REPORT, "--product", "Milan", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        files = {Path(f["path"]).name: f for f in json.loads(done.stdout)["files"]}
        self.assertEqual(sorted(files), ["ask_ark.pem", "crl.der", "vcek.der"])
        self.assertRegex(files["vcek.der"]["url"], r"/vcek/v1/Milan/[0-9a-f]{128}\?blSPL=\d+&teeSPL=\d+&snpSPL=\d+&ucodeSPL=\d+$")
        done = cella("verify", "--tee", "snp", "--evidence", REPORT, "--certs", self.out / "vcek.der",
                     self.out / "ask_ark.pem", "--at", "2025-07-01")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_certificate_that_nobody_publishes(self):
        server = self.serve({**amd((SNP / "milan.ask_ark.pem").read_bytes()),
                             "/vlek/v1/Milan/": (SNP / "milan_vlek.asvk_ark.pem").read_bytes()})
        masked = bytearray(REPORT.read_bytes())
        masked[0x1a0:0x1e0] = bytes(64)
        report = Path(self.scratch.name) / "masked.bin"
        report.write_bytes(masked)
        vlek = SNP / "milan_vlek_v3.report.bin"
        for evidence, name, words in ((report, "vcek.der", "masks the chip's id"), (vlek, "vlek.der", "to the cloud's operator alone")):
            done = self.fetch(server, "snp", evidence, "--product", "Milan")
            self.assertEqual((done.returncode, self.names()), (0, ["ask_ark.pem", "crl.der"]), done.stderr)
            self.assertIn(f"{name} cannot be fetched: ", done.stderr)
            self.assertIn(words, done.stderr)
            missing = json.loads(self.fetch(server, "snp", evidence, "--product", "Milan", "--json").stdout)["missing"]
            self.assertEqual([one["name"] for one in missing], [name])
            self.assertIn(words, missing[0]["why"])
        done = self.fetch(server, "snp", REPORT, "--product", "Milan")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_is_no_collateral_is_not_kept(self):
        wrong = {**intel(), "/tdx/certification/v4/qe/identity": b"<html>sign in to this network</html>"}
        done = self.fetch(self.serve(wrong), "tdx", QUOTE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no collateral", done.stderr)
        self.assertIn("qe/identity", done.stderr)
        self.assertEqual(self.names(), [])

    def test_what_is_missing_leaves_what_was_there(self):
        self.assertEqual(self.fetch(self.serve(intel()), "tdx", QUOTE).returncode, 0)
        before = {name: (self.out / name).read_bytes() for name in self.names()}
        less = intel()
        less.pop("/IntelSGXRootCA.der")
        done = self.fetch(self.serve(less), "tdx", QUOTE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("404", done.stderr)
        self.assertEqual({name: (self.out / name).read_bytes() for name in self.names()}, before)

    def test_links_lead_nowhere(self):
        # Whoever may write to the directory would have root overwrite any file
        victim = Path(self.scratch.name) / "victim"
        victim.write_bytes(b"as it was")
        self.out.mkdir()
        names = ["tcb.json", "qe.json", "pck.crl", "root.crl"]
        for name in names:
            (self.out / name).symlink_to(victim)
            (self.out / f".{name}.part").symlink_to(victim)
        done = self.fetch(self.serve(intel()), "tdx", QUOTE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(victim.read_bytes(), b"as it was")
        self.assertEqual((self.out / "tcb.json").read_bytes(), (TDX / "v4_a.tcb_info.json").read_bytes())
        self.assertFalse(any((self.out / name).is_symlink() for name in names))

    def test_mistakes(self):
        server = self.serve({})
        for arguments in (["collateral"], ["collateral", "fetsch"], ["verify", "fetch"]):
            self.assertEqual(cella(*arguments, "--tee", "tdx", "--evidence", QUOTE).returncode, 2)
        self.assertEqual(self.fetch(server, "tdx", REPORT).returncode, 2)
        done = cella("collateral", "fetch", "--tee", "tdx", "--evidence", QUOTE)
        self.assertIn("--out", done.stderr)
        done = cella("collateral", "fetch", "--tee", "tdx", "--evidence", QUOTE, "--out", self.out, "--from", "file:///etc")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    if not DATA.is_dir():
        print(f"no recorded evidence in {DATA}")
        sys.exit(77)
    unittest.main()
