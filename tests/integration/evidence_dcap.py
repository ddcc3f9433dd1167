#!/usr/bin/env python3
# as: root
"""Is each quote of real TDX and SGX machines judged as the table beside the data says, at its time, and refused
where one thing is not as it should be? The data are not part of the repository."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
DATA = Path(os.environ["CELLA_SOURCE"]).parent / "shared/data/attestation"
TDX, SGX = DATA / "tdx", DATA / "sgx"

V4_A = ["--tee", "tdx", "--evidence", TDX / "v4_a.quote.bin"]
V4_A_COLLATERAL = [TDX / f"v4_a.{name}" for name in ("tcb_info.json", "qe_identity.json", "pck_crl.der",
                                                      "root_crl.der")]
V4_B = ["--tee", "tdx", "--evidence", TDX / "v4_b.quote.bin"]
V4_B_COLLATERAL = TDX / "v4_b.collateral-2025-06-19.json"
V5_A = ["--tee", "tdx", "--evidence", TDX / "v5_a.quote.bin"]
V5_OLD = ["--tee", "tdx", "--evidence", TDX / "v5_outdated.quote.bin"]
V5_OLD_COLLATERAL = TDX / "v5_outdated.collateral-2026-02-18.json"
CCEL = ["--tee", "tdx", "--evidence", TDX / "v4_ccel.quote.bin"]
V3_A = ["--tee", "sgx", "--evidence", SGX / "v3_a.quote.bin"]
V3_A_COLLATERAL = SGX / "v3_a.collateral-2025-06-19.json"

WITHOUT = {"collateral": "optional", "crl": "optional"}
OLD = {"tcb_status": {"OutOfDate": "warn"}}
ONES = "ff" * 48

# name: arguments, time, policy, exit status, names of failed checks, of warned ones
ROWS = {
    "v4_a: its platform is below every level": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL], "2023-07-01", None, 1, {"tcb.status"}, set()),
    "v4_a: otherwise all holds": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL], "2023-07-01", OLD, 0, set(), {"tcb.status"}),
    "v4_a: its collateral has ended": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL], "2024-01-01", OLD, 1,
        {"tcb_info.dates", "qe_identity.dates", "pck.crl"}, {"tcb.status"}),
    "v4_a: as the policy allows": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL], "2024-01-01", {**OLD, "expired_collateral": "warn"}, 0, set(),
        {"tcb_info.dates", "qe_identity.dates", "pck.crl", "tcb.status"}),
    "v4_a: before its collateral was made": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL], "2023-06-01", OLD, 1,
        {"tcb_info.dates", "qe_identity.dates", "pck.crl"}, {"tcb.status"}),
    "v4_a: no TCB info": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL[1:]], "2023-07-01", None, 1, {"tcb_info.signature", "tcb.status"},
        set()),
    "v4_a: no CRLs": (
        [*V4_A, "--collateral", *V4_A_COLLATERAL[:2]], "2023-07-01", OLD, 1,
        {"pck.crl", "tcb_info.crl", "qe_identity.crl"}, {"tcb.status"}),
    "v4_b": ([*V4_B, "--collateral", V4_B_COLLATERAL], "2025-07-01", None, 0, set(), set()),
    "v4_b: today": (
        [*V4_B, "--collateral", V4_B_COLLATERAL], "2026-11-29", None, 1,
        {"pck.crl", "tcb_info.crl", "qe_identity.crl", "tcb_info.dates", "qe_identity.dates"}, set()),
    "v4_b: another platform's collateral": (
        [*V4_B, "--collateral", V5_OLD_COLLATERAL], "2026-03-01", None, 1, {"tcb_info.platform", "tcb.status",
        "tdx_module.identity"}, set()),
    "v4_b: both platforms' collateral": (
        [*V4_B, "--collateral", TDX / "v4_a.tcb_info.json", V4_B_COLLATERAL], "2025-07-01", None, 0, set(), set()),
    "v4_b: beside other platforms' sets and what has ended": (
        [*V4_B, "--collateral", V3_A_COLLATERAL, *V4_A_COLLATERAL, V4_B_COLLATERAL], "2025-07-01", None, 0, set(), set()),
    "v4_b: of another time": (
        [*V4_B, "--collateral", V4_B_COLLATERAL], "2025-07-01", {"min_tcb_evaluation_data_number": 18}, 1,
        {"tcb_info.evaluation_number", "qe_identity.evaluation_number"}, set()),
    "v4_b: report data": (
        [*V4_B, "--collateral", V4_B_COLLATERAL, "--report-data", "00"], "2025-07-01", None, 1, {"report_data"}, set()),
    "v4_b: a policy's measurements": (
        [*V4_B, "--collateral", V4_B_COLLATERAL], "2025-07-01",
        {"mr_td": ONES, "rtmr0": [ONES], "rtmr3": [ONES, "00" * 48], "mr_seam": ONES, "mr_owner": "00" * 48}, 1,
        {"td.mr_td", "td.rtmr0", "tdx_module.mr_seam"}, set()),
    "v4_b: SGX's collateral": (
        [*V4_B, "--collateral", V3_A_COLLATERAL], "2025-07-01", None, 1,
        {"tcb_info.platform", "tdx_module.identity", "tcb.status", "qe.identity", "pck.crl"}, set()),
    "v5_a": ([*V5_A], "2026-03-01", WITHOUT, 0, set(),
             {"pck.crl", "tcb_info.signature", "qe_identity.signature", "tcb.status"}),
    "v5_a: no collateral": (
        [*V5_A], "2026-03-01", None, 1, {"pck.crl", "tcb_info.signature", "qe_identity.signature", "tcb.status"}, set()),
    "v5_a: with collateral of its kind of platform": (
        [*V5_A, "--collateral", V5_OLD_COLLATERAL], "2026-03-01", None, 0, set(), set()),
    "v5_a: 1.5's own fields": (
        [*V5_A], "2026-03-01", {**WITHOUT, "mr_service_td": ONES}, 1, {"td.mr_service_td"},
        {"pck.crl", "tcb_info.signature", "qe_identity.signature", "tcb.status"}),
    "v5_outdated": (
        [*V5_OLD, "--collateral", V5_OLD_COLLATERAL], "2026-03-01", None, 1, {"tcb.status"}, set()),
    "v5_outdated: allowed": (
        [*V5_OLD, "--collateral", V5_OLD_COLLATERAL], "2026-03-01", {"tcb_status": {"OutOfDate": "accept"}}, 0, set(),
        set()),
    "v4_ccel": (
        [*CCEL, "--event-log", TDX / "v4_ccel.eventlog.bin"], "2025-03-01", WITHOUT, 0, set(),
        {"pck.crl", "tcb_info.signature", "qe_identity.signature", "tcb.status"}),
    "v4_ccel: its log is missing": (
        [*CCEL], "2025-03-01", {**WITHOUT, "event_log": "required"}, 1, {"event_log"},
        {"pck.crl", "tcb_info.signature", "qe_identity.signature", "tcb.status"}),
    "v4_b: another machine's log": (
        [*V4_B, "--collateral", V4_B_COLLATERAL, "--event-log", TDX / "v4_ccel.eventlog.bin"], "2025-07-01", None, 1,
        {"event_log.rtmr0", "event_log.rtmr1", "event_log.rtmr2"}, set()),
    "v3_a": ([*V3_A, "--collateral", V3_A_COLLATERAL], "2025-07-01", None, 0, set(), {"tcb.status"}),
    "v3_a: strict": (
        [*V3_A, "--collateral", V3_A_COLLATERAL], "2025-07-01",
        {"tcb_status": {"ConfigurationAndSWHardeningNeeded": "refuse"}}, 1, {"tcb.status"}, set()),
    "v3_a: another enclave": (
        [*V3_A, "--collateral", V3_A_COLLATERAL], "2025-07-01",
        {"mr_enclave": ["00" * 32, "11" * 32], "mr_signer": "00" * 32, "isv_prod_id": 1, "min_isv_svn": 65535}, 1,
        {"enclave.mr_enclave", "enclave.mr_signer", "enclave.isv_prod_id", "enclave.isv_svn"}, {"tcb.status"}),
}

# Files that are not understood: arguments, and what the error is to name.
MALFORMED = {
    "SGX as TDX": (["--tee", "tdx", "--evidence", V3_A[3]], "--tee sgx"),
    "TDX as SGX": (["--tee", "sgx", "--evidence", V4_B[3]], "--tee tdx"),
    "no quote": (["--tee", "tdx", "--evidence", TDX / "v4_ccel.nonce.bin"], "version 3, 4 or 5"),
    "a log of nothing": ([*V4_B, "--event-log", V4_B[3]], "Spec ID Event03"),
    "a log of an enclave": ([*V3_A, "--event-log", TDX / "v4_ccel.eventlog.bin"], "no event log"),
    "collateral of nothing": ([*V4_B, "--collateral", TDX / "v4_ccel.nonce.bin"], "v4_ccel.nonce.bin"),
}


def verify(*arguments):
    return subprocess.run([CELLA, "evidence", "verify", *arguments, "--json"], capture_output=True, text=True, timeout=300,
                          check=False)


class Data(unittest.TestCase):
    def policy(self, policy):
        path = Path(tempfile.mkdtemp()) / "policy.json"
        path.write_text(json.dumps(policy), encoding="ascii")
        return path

    def judged(self, arguments, at, policy=None):
        more = [] if policy is None else ["--policy", self.policy(policy)]
        done = verify(*arguments, *more, "--at", at)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        answer = json.loads(done.stdout)
        named = {status: {c["name"] for c in answer["checks"] if c["status"] == status}
                 for status in ("passed", "warned", "failed")}
        return done.returncode, named, answer

    def test_rows(self):
        for name, (arguments, at, policy, status, failed, warned) in ROWS.items():
            with self.subTest(name):
                found, named, _ = self.judged(arguments, at, policy)
                self.assertEqual((found, named["failed"], named["warned"]), (status, failed, warned))

    def test_claims(self):
        _, _, answer = self.judged([*V5_OLD, "--collateral", V5_OLD_COLLATERAL], "2026-03-01")
        claims = {c["name"]: c["value"] for c in answer["claims"]}
        self.assertEqual(claims["tcb.status"], "OutOfDate")
        self.assertEqual(claims["tcb.tdx_module"], "TDX_01: UpToDate of 2024-11-13")
        _, _, answer = self.judged([*V3_A, "--collateral", V3_A_COLLATERAL], "2025-07-01")
        claims = {c["name"]: c["value"] for c in answer["claims"]}
        self.assertEqual(claims["tcb.advisories"], "INTEL-SA-00289, INTEL-SA-00615")

    def test_nonce(self):
        """The recorded nonce is accepted, another one is not."""
        nonce = (TDX / "v4_ccel.nonce.bin").read_bytes()
        for value, expected in ((nonce, 0), (bytes([nonce[0] ^ 1]) + nonce[1:], 1)):
            status, _, _ = self.judged([*CCEL, "--report-data", value.hex()], "2025-03-01", WITHOUT)
            self.assertEqual(status, expected)

    def test_changed_collateral(self):
        """A set is a JSON object; each of its signed texts changed in one place is refused, as is a signature."""
        whole = json.loads(V4_B_COLLATERAL.read_text(encoding="utf-8"))
        for member, old, new, failed in (
                ("tcb_info", '"tcbStatus":"OutOfDate"', '"tcbStatus":"UpToDate"', "tcb_info.signature"),
                ("tcb_info", '"issueDate"', ' "issueDate"', "tcb_info.signature"),
                ("qe_identity", '"isvsvn":4', '"isvsvn":3', "qe_identity.signature"),
                ("tcb_info_signature", "02", "03", "tcb_info.signature")):
            with self.subTest(member, old=old), tempfile.TemporaryDirectory() as directory:
                changed = Path(directory) / "set.json"
                self.assertIn(old, whole[member])
                changed.write_text(json.dumps({**whole, member: whole[member].replace(old, new, 1)}), encoding="utf-8")
                status, named, _ = self.judged([*V4_B, "--collateral", changed], "2025-07-01")
                self.assertEqual(status, 1)
                self.assertIn(failed, named["failed"])
        with tempfile.TemporaryDirectory() as directory:
            same = Path(directory) / "set.json"
            same.write_text(json.dumps(whole, indent=2), encoding="utf-8")
            self.assertEqual(self.judged([*V4_B, "--collateral", same], "2025-07-01")[0], 0)

    def test_served(self):
        """What the service answers, in files of their own, in any order, and as hexadecimal text."""
        whole = json.loads(V4_B_COLLATERAL.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as directory:
            files = {
                "chain.pem": whole["tcb_info_issuer_chain"],
                "qe.json": f'{{"enclaveIdentity":{whole["qe_identity"]},"signature":"{whole["qe_identity_signature"]}"}}',
                "pck_crl.hex": whole["pck_crl"],
                "root_crl.hex": whole["root_ca_crl"],
                "tcb.json": f' {{ "signature" : "{whole["tcb_info_signature"]}" ,\n "tcbInfo" : {whole["tcb_info"]} }}\n',
            }
            for name, text in files.items():
                (Path(directory) / name).write_text(text, encoding="utf-8")
            paths = [Path(directory) / name for name in files]
            self.assertEqual(self.judged([*V4_B, "--collateral", *paths[1:]], "2025-07-01")[0], 0)
            self.assertEqual(self.judged([*V4_B, "--certs", paths[0], "--collateral", *paths[:0:-1]], "2025-07-01")[0], 0)

    def test_changed_log(self):
        log = bytearray((TDX / "v4_ccel.eventlog.bin").read_bytes())
        with tempfile.TemporaryDirectory() as directory:
            changed = Path(directory) / "log.bin"
            log[100] ^= 1  # in the first event's digest
            changed.write_bytes(log)
            status, named, _ = self.judged([*CCEL, "--event-log", changed], "2025-03-01", WITHOUT)
            self.assertEqual((status, named["failed"]), (1, {"event_log.rtmr0"}))

    def test_malformed(self):
        for name, (arguments, named) in MALFORMED.items():
            with self.subTest(name):
                done = verify(*arguments, "--at", "2025-07-01")
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(named, done.stderr)

    def test_unknown_member(self):
        done = verify(*V4_B, "--policy", self.policy({"mr_tdd": ONES}))
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean mr_td", done.stderr)

    def test_show(self):
        done = subprocess.run([CELLA, "evidence", "show", *CCEL, "--event-log", TDX / "v4_ccel.eventlog.bin"],
                              capture_output=True, text=True, timeout=300, check=True)
        for pattern in (r"quote.version +4\n", r"td.mr_td +[0-9a-f]{96} ", r"platform.fmspc +00806f050000 ",
                        r"event_log.43 +[0-9a-f]{96}  \(RTMR 1, EV_EFI_ACTION"):
            self.assertTrue(re.search(pattern, done.stdout), pattern)


if __name__ == "__main__":
    if not DATA.is_dir():
        print(f"{DATA} is not here")
        sys.exit(77)
    unittest.main(verbosity=2)
