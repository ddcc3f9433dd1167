#!/usr/bin/env python3
# as: root user
"""Does `cella evidence` say of recorded evidence of SEV-SNP (../shared/data/attestation/snp) what its README says:
accepted, refused with every reason, or not understood? In text and JSON, in each form of file, at given times."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
DATA = Path(os.environ["CELLA_SOURCE"]).resolve() / "../shared/data/attestation/snp"
ACCEPTED, REFUSED, NOT_UNDERSTOOD = 0, 1, 2
VLEK = ["milan_vlek_v3.vlek-expired-2025-12-10.der", "milan_vlek.asvk_ark.pem"]
MILAN = "milan.ask_ark.pem"

# Report, certificates, time, and the checks that fail.
ROWS = [
    ("milan_v2.report.bin", ["milan_v2.vcek.cer", MILAN], "2026-11-29", []),
    ("milan_b.report.hex", ["milan_b.vcek.der", MILAN], "2026-11-29", []),
    ("milan_c.report.bin", ["milan_c.vcek.der", MILAN], "2026-11-29T12:00:00Z", []),
    ("milan_vlek_v3.report.bin", VLEK, "2025-06-01", []),
    ("milan_vlek_v3.report.bin", VLEK, "2026-11-29", ["certificate.validity"]),
    ("milan_vlek_v3.report.bin", VLEK, "2024-12-10T22:14:20Z", ["certificate.validity"]),
    ("milan_vlek_v3.report.bin", VLEK, "@1733868861", []),  # its first second
    ("milan_vlek_v3.report.bin", VLEK, "1765404861", []),  # its last
    ("milan_vlek_v3.report.bin", VLEK, "1765404862", ["certificate.validity"]),
    ("milan_c.report.bin", ["milan_c.vcek-must-fail-1.der", MILAN], "2026-11-29",
     ["certificate.chain", "certificate.tcb", "certificate.chip", "signature"]),
    ("milan_c.report.bin", ["milan_c.vcek-must-fail-2.der", MILAN], "2026-11-29",
     ["certificate.chain", "certificate.tcb", "certificate.chip", "signature"]),
    ("milan_c.report.bin", ["milan_b.vcek.der", MILAN], "2026-11-29", ["certificate.chip", "signature"]),
    ("milan_c.report.bin", ["milan_c.vcek.der", "turin.ask_ark.pem"], "2026-11-29",
     ["certificate.root", "certificate.chain", "certificate.product"]),
    ("milan_c.report.bin", [], "2026-11-29",
     ["certificate", "certificate.chain", "certificate.kind", "certificate.product", "certificate.tcb",
      "certificate.chip", "signature"]),
]


def evidence(command, report, certs, *more):
    words = [CELLA, "evidence", command]
    for name, value in (("--tee", "snp"), ("--evidence", report)):
        words += [] if name in more else [name, value]
    words += ["--certs", *certs] if certs else []
    return subprocess.run([*map(str, words), *map(str, more)], capture_output=True, text=True, timeout=300, check=False)


def failed(done):
    return [check["name"] for check in json.loads(done.stdout)["checks"] if check["status"] == "failed"]


class Snp(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def written(self, name, data):
        path = self.scratch / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def verify(self, report, certs, *more):
        return evidence("verify", DATA / report, [DATA / name for name in certs], "--json", *more)

    def test_rows(self):
        for report, certs, time, names in ROWS:
            with self.subTest(report, certs=certs, time=time):
                done = self.verify(report, certs, "--at", time)
                self.assertEqual(done.returncode, REFUSED if names else ACCEPTED, done.stderr)
                self.assertEqual(failed(done), names)
                self.assertEqual(json.loads(done.stdout)["accepted"], not names)

    def test_text(self):
        report, certs = DATA / "milan_c.report.bin", [DATA / "milan_c.vcek.der", DATA / MILAN]
        done = evidence("verify", report, certs)
        self.assertEqual(done.returncode, ACCEPTED)
        self.assertRegex(done.stdout, r"(?m)^passed  signature +it holds$")
        self.assertRegex(done.stdout, r"(?m)^accepted: evidence of AMD SEV-SNP at .*, 16 checks, 0 failed, 1 warnings$")
        done = evidence("verify", report, [DATA / "milan_b.vcek.der", DATA / MILAN])
        self.assertEqual(done.returncode, REFUSED)
        self.assertRegex(done.stdout, r"(?m)^failed  signature +it does not hold\n +wanted: ")
        self.assertRegex(done.stdout, r"(?m)^refused: ")

    def test_what_is_missing_is_named(self):
        done = evidence("verify", DATA / "milan_vlek_v3.report.bin", [])
        self.assertIn("the guest gets it from the host", done.stdout)
        done = evidence("verify", DATA / "milan_c.report.bin", [])
        self.assertIn("https://kdsintf.amd.com/vcek/v1/PRODUCT/c38427a30d4c7af9", done.stdout)
        self.assertIn("?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115", done.stdout)

    def test_a_debugged_guest_is_warned_of(self):
        done = self.verify("milan_v2.report.bin", ["milan_v2.vcek.cer", MILAN])
        warned = [check["name"] for check in json.loads(done.stdout)["checks"] if check["status"] == "warned"]
        self.assertEqual(warned, ["certificate.crl", "policy.debug"])
        policy = self.written("p.json", '{"guest_policy": {"debug": "refuse"}}')
        done = self.verify("milan_v2.report.bin", ["milan_v2.vcek.cer", MILAN], "--policy", policy)
        self.assertEqual((done.returncode, failed(done)), (REFUSED, ["policy.debug"]))

    def test_policy(self):
        certs = ["milan_c.vcek.der", MILAN]
        measurement = (DATA / "milan_c.report.bin").read_bytes()[0x90:0xc0].hex()
        good = {"measurement": ["00" * 48, measurement], "minimum_tcb": {"snp": 8, "microcode": 115},
                "product": "Milan", "signing_key": "vcek", "maximum_vmpl": 0}
        done = self.verify("milan_c.report.bin", certs, "--policy", self.written("p.json", json.dumps(good)))
        self.assertEqual(done.returncode, ACCEPTED, done.stdout)
        bad = {"measurement": "00" * 48, "minimum_tcb": {"fmc": 0, "snp": 9}, "minimum_launch_tcb": {"microcode": 116},
               "crl": "required"}  # a Milan has no fmc, of whatever level
        done = self.verify("milan_c.report.bin", certs, "--policy", self.written("p.json", json.dumps(bad)))
        self.assertEqual(failed(done), ["certificate.crl", "measurement", "minimum.reported.fmc", "minimum.reported.snp",
                                        "minimum.launch.microcode"])
        for text, why in [('{"measurment": 1}', "did you mean measurement?"), ("{", "no JSON")]:
            done = self.verify("milan_c.report.bin", certs, "--policy", self.written("p.json", text))
            self.assertEqual(done.returncode, NOT_UNDERSTOOD)
            self.assertIn(why, done.stderr)

    def test_report_data(self):
        certs = ["milan_c.vcek.der", MILAN]
        data = (DATA / "milan_c.report.bin").read_bytes()[0x50:0x90].hex()
        for text, status in [(data, ACCEPTED), (data[:64], ACCEPTED), ("0x" + data[:64].upper(), ACCEPTED),
                             (data[:62], REFUSED), ("00", REFUSED), (data + "00", NOT_UNDERSTOOD),
                             ("0", NOT_UNDERSTOOD), ("zz", NOT_UNDERSTOOD), ("", NOT_UNDERSTOOD)]:
            with self.subTest(text):
                done = self.verify("milan_c.report.bin", certs, "--report-data", text)
                self.assertEqual(done.returncode, status, done.stderr)

    def test_forms_of_files(self):
        report = (DATA / "milan_c.report.bin").read_bytes()
        leaf, chain = (DATA / "milan_c.vcek.der").read_bytes(), (DATA / MILAN).read_bytes()
        self.written("r.hex", "0x" + "\n".join(report.hex()[i:i + 64] for i in range(0, 2 * len(report), 64)))
        self.written("leaf.hex", leaf.hex().upper())
        table = bytes.fromhex("63da758de6644564adc5f4b93be8accd") + (48).to_bytes(4, "little") + \
            len(leaf).to_bytes(4, "little") + bytes(24) + leaf
        self.written("table", table)
        for certs in [["leaf.hex", DATA / MILAN], ["table", DATA / MILAN]]:
            done = evidence("verify", self.scratch / "r.hex", [self.scratch / name for name in certs])
            self.assertEqual(done.returncode, ACCEPTED, done.stdout + done.stderr)
        done = evidence("verify", self.scratch / "r.hex", [self.scratch / "table"], "--certs", DATA / MILAN)
        self.assertEqual(done.returncode, ACCEPTED)
        done = evidence("verify", self.scratch / "r.hex", [self.scratch / "table"], "--collateral",
                        self.written("chain.pem", chain))
        self.assertEqual(done.returncode, ACCEPTED)
        done = subprocess.run([CELLA, "evidence", f"--certs={self.scratch}/table", DATA / MILAN, "--tee=snp", "--evidence",
                               self.scratch / "r.hex", "verify"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, ACCEPTED, done.stderr)

    def test_not_understood(self):
        report = (DATA / "milan_c.report.bin").read_bytes()
        good = [DATA / "milan_c.vcek.der", DATA / MILAN]
        for name, data, why in [("cut", report[:-1], "has 1184 bytes"), ("long", report + b"\0", "has 1184 bytes"),
                                ("empty", b"", "has 1184 bytes"),
                                ("version", b"\4" + report[1:], "version 4 of SEV-SNP's report")]:
            with self.subTest(name):
                for command in "verify", "show":
                    done = evidence(command, self.written(name, data), good)
                    self.assertEqual((done.returncode, done.stdout), (NOT_UNDERSTOOD, ""))
                    self.assertIn(why, done.stderr)
        done = evidence("verify", DATA / "milan_c.report.bin", [DATA / "milan_c.report.bin"])
        self.assertEqual(done.returncode, NOT_UNDERSTOOD)
        self.assertIn("milan_c.report.bin: this is no certificate and no CRL", done.stderr)
        for words, why in [(["--tee", "snq"], "did you mean snp?"), (["--evidence", "/nothing"], "/nothing"),
                           (["--at", "2025-02-30"], "is no time, such as"), (["--at", "yesterday"], "is no time, such as"),
                           (["--at", "20250601"], "is no time, such as"), (["--at", "1748736000s"], "is no time, such as"),
                           (["--policy", "/nothing"], "/nothing"), (["--nonsense"], "--nonsense"),
                           (["--event-log", good[0]], "has no event log"), (["--certs"], "--certs"), (["more"], "more")]:
            with self.subTest(words):
                done = evidence("verify", DATA / "milan_c.report.bin", good, *words)
                self.assertEqual(done.returncode, NOT_UNDERSTOOD)
                self.assertIn(why, done.stderr)
        done = subprocess.run([CELLA, "evidence", "verfy"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, NOT_UNDERSTOOD)
        self.assertIn("did you mean verify?", done.stderr)

    @unittest.skipIf(Path("/dev/sev-guest").exists() or Path("/dev/tpmrm0").exists(), "this machine can")
    def test_get_without_the_hardware(self):
        for more, why, status in [((), "there is none of", 1), (("--tee", "snp"), "/sys/kernel/config/tsm/report", 1),
                                  (("--tee", "azure"), "there is no /dev/tpmrm0", 1),
                                  (("--tee", "snpp"), "there is no kind of evidence snpp", NOT_UNDERSTOOD)]:
            done = subprocess.run([CELLA, "evidence", "get", "--out", self.scratch / "evidence", *more],
                                  capture_output=True, text=True, timeout=300, check=False)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn(why, done.stderr)
        self.assertFalse((self.scratch / "evidence").exists())

    def test_every_truncation(self):
        report = (DATA / "milan_b.report.hex").read_bytes()
        for size in range(0, len(report), 97):
            done = evidence("verify", self.written("cut", report[:size]), [])
            self.assertEqual(done.returncode, NOT_UNDERSTOOD)

    def test_show(self):
        done = evidence("show", DATA / "milan_v2.report.bin", [], "--json")
        claims = {claim["name"]: claim for claim in json.loads(done.stdout)["claims"]}
        self.assertEqual(claims["policy.debug"]["value"], "1")
        self.assertIn("MAY READ", claims["policy.debug"]["meaning"])
        self.assertEqual(claims["report_data"]["value"], "0102030405" + "00" * 59)
        self.assertEqual(claims["tcb.reported.microcode"]["value"], "68")
        self.assertNotIn("certificate.product", claims)
        done = evidence("show", DATA / "milan_vlek_v3.report.bin", [DATA / name for name in VLEK])
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^cpuid +19\.01\.01  \(family, model, stepping: Milan\)$")
        self.assertRegex(done.stdout, r"(?m)^certificate\.csp_id +CN=cc-us-east-2\.amazonaws\.com")


if __name__ == "__main__":
    if not DATA.is_dir():
        print(f"there is no recorded evidence in {DATA}")
        sys.exit(77)
    unittest.main()
