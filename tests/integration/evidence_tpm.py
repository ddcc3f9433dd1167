#!/usr/bin/env python3
# as: root user
"""Does a TPM that is not ours (swtpm, libtpms) give evidence that `cella evidence` accepts, with the logs of what it
was extended with, and is it refused after one more measurement, for another nonce, of another TPM, with a cut log? Does
its endorsement key answer the challenge for its own attestation key, and another TPM not?"""

import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
ACCEPTED, REFUSED, NOT_UNDERSTOOD = 0, 1, 2
NO_ACTION, SEPARATOR, CRTM, IPL, VARIABLE = 3, 4, 8, 0xD, 0x80000001
EK_CERTIFICATE = 0x01C00002
NONCE, REPORT_DATA = "5f" * 20, "ab" * 64
DATA = Path(os.environ["CELLA_SOURCE"]).resolve() / "../shared/data/attestation"


def sha256(data):
    return hashlib.sha256(data).digest()


class Tpm:
    """A software TPM with its state in a directory. It gets its sockets, so nobody waits for them."""

    def __init__(self, directory):
        self.directory, self.path = directory, directory / "s"
        directory.mkdir(exist_ok=True)
        self.process = None

    def start(self):
        sockets = []
        for path in self.path, Path(f"{self.path}.ctrl"):
            path.unlink(missing_ok=True)
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(str(path))
            listening.listen(8)
            sockets.append(listening)
        data, control = (s.fileno() for s in sockets)
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.directory}", "--server", f"type=unixio,fd={data}",
             "--ctrl", f"type=unixio,fd={control}", "--flags", "startup-clear,not-need-init"],
            pass_fds=(data, control), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for listening in sockets:
            listening.close()
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=300)

    def command(self, code, handles, parameters):
        """One with the empty password of its first handle; the answer's parameters."""
        auth = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
        body = b"".join(struct.pack(">I", h) for h in handles) + auth + parameters
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.path))
            s.sendall(struct.pack(">HII", 0x8002, 10 + len(body), code) + body)
            answer = s.recv(4096)
        result = struct.unpack(">I", answer[6:10])[0]
        if result:
            raise RuntimeError(f"the TPM answers {result:#x} to {code:#x}")
        return answer[10:]

    def extend(self, pcr, digest):
        self.command(0x182, [pcr], struct.pack(">IH", 1, 0x0B) + digest)

    def define_and_write(self, index, data):
        public = struct.pack(">IHIHH", index, 0x0B, 0x02060006, 0, len(data))
        self.command(0x12A, [0x40000001], struct.pack(">HH", 0, len(public)) + public)
        for at in range(0, len(data), 512):
            part = data[at:at + 512]
            self.command(0x137, [0x40000001, index], struct.pack(">H", len(part)) + part + struct.pack(">H", at))

    def read(self, index, size):
        return self.command(0x14E, [0x40000001, index], struct.pack(">HH", size, 0))[6:6 + size]

    def make_rsa_key(self):
        """A restricted signing key of the owner's hierarchy, RSASSA: its handle and modulus."""
        public = struct.pack(">HHIHHHHHIH", 1, 0x0B, 0x00050472, 0, 0x10, 0x14, 0x0B, 2048, 0, 0)
        answer = self.command(0x131, [0x40000001], struct.pack(">HHHH", 4, 0, 0, len(public)) + public +
                              struct.pack(">HI", 0, 0))
        at = answer.index(public[:20])
        return struct.unpack(">I", answer[:4])[0], answer[at + len(public):at + len(public) + 256]

    def keep(self, handle, at):
        self.command(0x120, [0x40000001, handle], struct.pack(">I", at))

    def env(self):
        return {**os.environ, "CELLA_TPM": f"swtpm:path={self.path}"}


class BootLog:
    """TCG's crypto-agile log; each event is measured into a TPM, too."""

    def __init__(self):
        spec = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 0x0B, 32, 0)
        self.bytes = struct.pack("<II", 0, NO_ACTION) + bytes(20) + struct.pack("<I", len(spec)) + spec
        self.ends = []

    def event(self, tpm, pcr, kind, data):
        tpm.extend(pcr, sha256(data))
        self.bytes += struct.pack("<IIIH", pcr, kind, 1, 0x0B) + sha256(data) + struct.pack("<I", len(data)) + data
        self.ends.append(len(self.bytes))


def boot(tpm):
    log = BootLog()
    secure = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c") + struct.pack("<QQ", 10, 1) + \
        "SecureBoot".encode("utf-16-le") + b"\1"
    log.event(tpm, 0, CRTM, b"firmware")
    log.event(tpm, 7, VARIABLE, secure)
    for pcr in range(8):
        log.event(tpm, pcr, SEPARATOR, bytes(4))
    log.event(tpm, 4, IPL, b"a boot loader")
    log.event(tpm, 8, IPL, b"a command line")
    log.event(tpm, 9, IPL, b"a kernel")
    return log


def replay(log):
    """PCRs 0 to 9, by the log's own events, for IMA's first entry."""
    pcrs = [bytes(32)] * 10
    at = struct.unpack("<I", log.bytes[28:32])[0] + 32
    while at < len(log.bytes):
        pcr, _, _, _ = struct.unpack("<IIIH", log.bytes[at:at + 14])
        pcrs[pcr] = sha256(pcrs[pcr] + log.bytes[at + 14:at + 46])
        at += 50 + struct.unpack("<I", log.bytes[at + 46:at + 50])[0]
    return pcrs


def measure(tpm, files):
    """IMA's log in its binary form."""
    log = b""
    for path, digest in files:
        field = b"sha256:\0" + digest
        name = path.encode() + b"\0"
        data = struct.pack("<I", len(field)) + field + struct.pack("<I", len(name)) + name
        tpm.extend(10, sha256(data))
        log += struct.pack("<I", 10) + hashlib.sha1(data).digest() + struct.pack("<I", 6) + b"ima-ng" + \
            struct.pack("<I", len(data)) + data
    return log


def run(*words, env=None):
    return subprocess.run([CELLA, "evidence", *map(str, words)], capture_output=True, text=True, timeout=300, check=False,
                          env=env)


def failed(done):
    return [check["name"] for check in json.loads(done.stdout)["checks"] if check["status"] == "failed"]


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=300)


def der(tag, body):
    size = len(body)
    length = bytes([size]) if size < 128 else b"\x82" + struct.pack(">H", size)
    return bytes([tag]) + length + body


def ek_public_key(evidence):
    """SubjectPublicKeyInfo of the RSA key in the evidence: its seventh blob."""
    at = 12
    blobs = []
    for step in "bbbb", "bbb":
        for _ in step:
            size = struct.unpack("<I", evidence[at:at + 4])[0]
            blobs.append(evidence[at + 4:at + 4 + size])
            at += 4 + size
        if step == "bbbb":
            assert struct.unpack("<II", evidence[at:at + 8]) == (0x4000000B, 0)
            at += 8
    modulus = b"\0" + blobs[4][-256:]
    key = der(0x30, der(2, modulus) + der(2, b"\1\0\1"))
    return der(0x30, bytes.fromhex("300d06092a864886f70d0101010500") + der(3, b"\0" + key))


class TpmEvidence(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.tpm = Tpm(cls.scratch / "tpm").start()
        cls.addClassCleanup(lambda: cls.tpm.stop())
        cls.log = boot(cls.tpm)
        programs = [(f"/usr/bin/{name}", sha256(name.encode())) for name in ("cella", "cella-las", "sh")]
        cls.ima = measure(cls.tpm, [("boot_aggregate", sha256(b"".join(replay(cls.log)))), *programs])
        cls.list = "".join(f"{digest.hex()}  {path}\n" for path, digest in programs)
        cls.evidence = cls.get(cls.tpm, "first")
        shown = run("show", "--tee", "tpm", "--evidence", cls.evidence)
        cls.name = re.search(r"(?m)^ak\.name +([0-9a-f]+)", shown.stdout)[1]

    @classmethod
    def get(cls, tpm, name):
        done = run("get", "--tee", "tpm", "--out", cls.scratch / name, "--report-data", NONCE, env=tpm.env())
        assert done.returncode == 0, done.stderr
        return cls.scratch / name / "evidence.bin"

    def written(self, name, data):
        path = self.scratch / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def policy(self, **members):
        return self.written("policy.json", json.dumps({"ak_names": self.name, **members}))

    def verify(self, evidence=None, nonce=NONCE, log=None, policy=None, more=()):
        logs = [self.written("boot", self.log.bytes if log is None else log), self.written("ima", self.ima)]
        return run("verify", "--tee", "tpm", "--evidence", evidence or self.evidence, "--report-data", nonce, "--json",
                   "--policy", policy or self.policy(secure_boot="required", event_log="required"), "--event-log", *logs,
                   *more)

    def test_links_lead_nowhere(self):
        victim = self.written("victim", "as it was")
        (self.scratch / "linked").mkdir()
        (self.scratch / "linked" / "evidence.bin").symlink_to(victim)
        self.assertEqual(self.get(self.tpm, "linked").read_bytes()[:8], b"CELLATPM")
        self.assertEqual(victim.read_bytes(), b"as it was")

    def test_accepted(self):
        done = self.verify()
        self.assertEqual((done.returncode, failed(done)), (ACCEPTED, []), done.stderr)
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        for name in ["event_log.pcr0", "event_log.pcr9", "quote.signer", "secure_boot", "ima_log.pcr10"]:
            self.assertEqual(checks[name]["status"], "passed")
        self.assertEqual(checks["ima_log.pcr10"]["found"], "4 of 4")

    def test_files(self):
        path = self.written("list", self.list)
        policy = self.policy(ima_lists=sha256(path.read_bytes()).hex())
        done = self.verify(policy=policy, more=["--collateral", path])
        self.assertEqual((done.returncode, failed(done)), (ACCEPTED, []))
        less = self.written("less", self.list.split("\n", 1)[1])
        policy = self.policy(ima_lists=sha256(less.read_bytes()).hex())
        done = self.verify(policy=policy, more=["--collateral", less])
        self.assertEqual((done.returncode, failed(done)), (REFUSED, ["ima_log.files"]))
        self.assertIn("the first: /usr/bin/cella", done.stdout)

    def test_one_more_measurement(self):
        """In a TPM of its own, which booted the same."""
        tpm = Tpm(self.scratch / "more").start()
        self.addCleanup(tpm.stop)
        log = boot(tpm)
        name = self.name
        shown = run("show", "--tee", "tpm", "--evidence", self.get(tpm, "before"), "--json")
        claims = {claim["name"]: claim["value"] for claim in json.loads(shown.stdout)["claims"]}
        self.name = claims["ak.name"]
        policy = self.policy(pcrs={"4": claims["pcr.sha256.4"], "8": claims["pcr.sha256.8"]})
        done = run("verify", "--tee", "tpm", "--evidence", self.scratch / "before/evidence.bin", "--policy", policy,
                   "--event-log", self.written("boot", log.bytes))
        self.assertEqual(done.returncode, ACCEPTED, done.stdout + done.stderr)
        tpm.extend(4, sha256(b"something else"))
        done = run("verify", "--tee", "tpm", "--evidence", self.get(tpm, "after"), "--policy", policy, "--json",
                   "--event-log", self.written("boot", log.bytes))
        self.assertEqual((done.returncode, failed(done)), (REFUSED, ["pcr.sha256.4", "event_log.pcr4"]))
        self.name = name

    def test_wrong_nonce(self):
        for nonce in "5f" * 19, "5f" * 21, "00", NONCE + "01":
            done = self.verify(nonce=nonce)
            self.assertEqual((done.returncode, failed(done)), (REFUSED, ["report_data"]))

    def test_another_tpm(self):
        tpm = Tpm(self.scratch / "other").start()
        self.addCleanup(tpm.stop)
        boot(tpm)
        done = self.verify(evidence=self.get(tpm, "foreign"))
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn("ak.binding", failed(done))
        done = run("verify", "--tee", "tpm", "--evidence", self.evidence)
        self.assertEqual(done.returncode, REFUSED)  # without a policy nobody is believed
        self.assertIn("the policy names neither keys", done.stdout)

    def test_cut_log(self):
        for count, names in [(-2, ["event_log.pcr9"]), (-3, ["event_log.pcr8", "event_log.pcr9"])]:
            done = self.verify(log=self.log.bytes[:self.log.ends[count]])
            self.assertEqual((done.returncode, failed(done)), (REFUSED, names))
        done = self.verify(log=self.log.bytes[:-1])
        self.assertEqual(done.returncode, NOT_UNDERSTOOD)

    def test_the_key_outlives_a_boot(self):
        tpm = Tpm(self.scratch / "again").start()
        names, resets = [], []
        for boots in range(2):
            shown = run("show", "--tee", "tpm", "--json", "--evidence", self.get(tpm, f"boot{boots}"))
            claims = {claim["name"]: claim["value"] for claim in json.loads(shown.stdout)["claims"]}
            names.append(claims["ak.name"])
            resets.append(int(claims["quote.reset_count"]))
            tpm.stop()
            if boots == 0:
                tpm.start()
        self.assertEqual(names[0], names[1])
        self.assertGreater(resets[1], resets[0])

    def certify(self, evidence, root):
        """A certificate of the endorsement key, as its maker would have made it."""
        key, request = self.scratch / "any.key", self.scratch / "any.csr"
        public = self.written("ek.der", ek_public_key(evidence.read_bytes()))
        openssl("pkey", "-pubin", "-inform", "DER", "-in", public, "-out", self.scratch / "ek.pem")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj",
                "/CN=EK", "-out", request)
        extensions = self.written("ek.ext", "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=2.23.133.8.1\n")
        openssl("x509", "-req", "-in", request, "-force_pubkey", self.scratch / "ek.pem", "-CA", f"{root}.pem", "-CAkey",
                f"{root}.key", "-set_serial", "5", "-days", "30", "-extfile", extensions, "-outform", "DER", "-out",
                self.scratch / "ek.crt")
        return (self.scratch / "ek.crt").read_bytes()

    def make_root(self, name):
        root = self.scratch / name
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{root}.key", "-out", f"{root}.pem", "-days", "30", "-subj", f"/CN={name}", "-addext",
                "keyUsage=critical,keyCertSign")
        openssl("pkey", "-in", f"{root}.key", "-pubout", "-outform", "DER", "-out", f"{root}.spki")
        return root, sha256(Path(f"{root}.spki").read_bytes()).hex()

    def test_challenge(self):
        root, pin = self.make_root("maker")
        certificate = self.certify(self.evidence, root)
        self.tpm.define_and_write(EK_CERTIFICATE, certificate + b"\xff" * 40)  # as large as an index happens to be
        evidence = self.get(self.tpm, "certified")
        found = evidence.parent / "ek.der"
        self.assertEqual(found.read_bytes(), certificate)
        challenge = self.scratch / "challenge"
        words = ["challenge", "--tee", "tpm", "--evidence", evidence, "--certs", found, f"{root}.pem", "--out", challenge]
        done = run(*words, "--policy", self.written("enrol.json", json.dumps({"ek_roots": pin})))
        self.assertEqual(done.returncode, ACCEPTED, done.stdout + done.stderr)
        secret = re.search(r"(?m)^the answer must be +([0-9a-f]{64})$", done.stdout)[1]
        self.assertEqual(re.search(r"(?m)^ak_names, if it is +([0-9a-f]+)$", done.stdout)[1], self.name)
        done = run("answer", "--evidence", challenge, env=self.tpm.env())
        self.assertEqual((done.returncode, done.stdout.strip()), (ACCEPTED, secret), done.stderr)

        other = Tpm(self.scratch / "asked").start()
        self.addCleanup(other.stop)
        done = run("answer", "--evidence", challenge, env=other.env())
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("the TPM refuses the credential", done.stderr)
        changed = bytearray(challenge.read_bytes())
        changed[-1] ^= 1
        done = run("answer", "--evidence", self.written("changed", bytes(changed)), env=self.tpm.env())
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        done = run("answer", "--evidence", self.written("cut", bytes(changed[:-1])), env=self.tpm.env())
        self.assertEqual(done.returncode, NOT_UNDERSTOOD)

        challenge.unlink()
        _, stranger = self.make_root("stranger")
        done = run(*words, "--policy", self.written("enrol.json", json.dumps({"ek_roots": stranger})))
        self.assertEqual(done.returncode, REFUSED)
        self.assertRegex(done.stdout, r"(?m)^failed  ek\.root")
        self.assertFalse(challenge.exists())

    def azure(self, name, kind, hardware):
        """A software TPM with what the paravisor leaves there: its NV index, and its key."""
        tpm = Tpm(self.scratch / name).start()
        self.addCleanup(tpm.stop)
        handle, modulus = tpm.make_rsa_key()
        tpm.keep(handle, 0x81000003)
        number = base64.urlsafe_b64encode(modulus).rstrip(b"=").decode()
        runtime = json.dumps({"keys": [{"kid": "HCLAkPub", "kty": "RSA", "e": "AQAB", "n": number}],
                              "vm-configuration": {"vmUniqueId": "A"}, "user-data": REPORT_DATA.upper()}).encode()
        report = b"HCLA" + struct.pack("<IIII", 2, 0, 2, 0) + bytes(12) + hardware(sha256(runtime)).ljust(1184, b"\0") + \
            struct.pack("<IIIII", 0, 1, kind, 1, len(runtime)) + runtime
        tpm.define_and_write(0x01400001, report)
        return tpm

    def test_azure(self):
        """The processor's report is not signed, and refused as such alone."""
        tpm = self.azure("azure", 2, lambda digest: struct.pack("<I", 2) + bytes(0x4c) + digest)
        log = boot(tpm)
        out = self.scratch / "hcl"
        done = run("get", "--tee", "azure", "--out", out, "--report-data", REPORT_DATA, env=tpm.env())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(tpm.read(0x01400002, 64).hex(), REPORT_DATA)
        words = ["verify", "--tee", "azure", "--evidence", out / "evidence.bin", "--json", "--event-log",
                 self.written("boot", log.bytes), "--report-data"]
        done = run(*words, REPORT_DATA)
        self.assertEqual(done.returncode, REFUSED, done.stderr)
        checks = {check["name"]: check["status"] for check in json.loads(done.stdout)["checks"]}
        for name in ["hcl.type", "hcl.user_data", "snp.report_data", "ak.binding", "quote.signature", "quote.pcrs",
                     "report_data", "event_log.pcr4", "secure_boot"]:
            self.assertEqual(checks[name], "passed", name)
        self.assertEqual({name for name in failed(done) if not name.startswith("snp.")}, set())
        self.assertIn("snp.signature", failed(done))
        done = run(*words, "cd" * 64)
        self.assertIn("report_data", failed(done))

    def test_no_paravisor(self):
        done = run("get", "--tee", "azure", "--out", self.scratch / "none", env=self.tpm.env())
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn("no confidential machine of Azure's", done.stderr)
        self.assertIn("NV index 0x01400001", done.stderr)
        with self.assertRaises(RuntimeError):
            self.tpm.read(0x01400002, 64)  # nothing was written either

    def test_azure_td(self):
        """A TD's quote comes from a service; here one that has a recorded quote, of other runtime data."""
        recorded = DATA / "tdx/v4_a.quote.bin"
        if not recorded.is_file():
            self.skipTest("there is no recorded evidence")
        quote, asked = recorded.read_bytes(), []
        td_report = bytes(range(256)) * 4
        answers = {"/acc/tdquote": json.dumps({"quote": base64.urlsafe_b64encode(quote).decode()}).encode()}

        class Service(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["report"])
                body = answers.get(self.path, b"")
                self.send_response(200 if body else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        tpm = self.azure("azure_td", 4, lambda _: td_report)
        service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        self.addCleanup(service.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(service.shutdown)
        env = {**tpm.env(), "CELLA_AZURE_QUOTES": f"127.0.0.1:{service.server_port}"}
        words = ["get", "--tee", "azure", "--out", self.scratch / "td", "--report-data", REPORT_DATA]
        done = run(*words, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(base64.urlsafe_b64decode(asked[0] + "=="), td_report)
        self.assertIn(quote, (self.scratch / "td/evidence.bin").read_bytes())
        done = run("verify", "--tee", "azure", "--evidence", self.scratch / "td/evidence.bin", "--json",
                   "--report-data", REPORT_DATA)
        self.assertIn("tdx.report_data", failed(done))  # of another machine
        self.assertNotIn("ak.binding", failed(done))
        for body, why in [(b"", "503"), (b"{}", "no quote"), (b'{"quote": "!"}', "no quote"), (b"no JSON", "JSON")]:
            answers["/acc/tdquote"] = body
            done = run(*words, env=env)
            self.assertEqual(done.returncode, REFUSED)
            self.assertIn(why, done.stderr)
        for server in "127.0.0.1", "localhost:80", "127.0.0.1:0", "127.0.0.1:80x":
            done = run(*words, env={**env, "CELLA_AZURE_QUOTES": server})
            self.assertIn("no IPv4 address and port", done.stderr)

    def test_no_tpm(self):
        for tcti, why in [("device:/nothing", "cannot use the TPM at /nothing"), ("swtpm:path=/nothing", "no TPM answers"),
                          ("nonsense:", "no TPM answers")]:
            done = run("get", "--tee", "tpm", "--out", self.scratch / "none", env={**os.environ, "CELLA_TPM": tcti})
            self.assertEqual(done.returncode, REFUSED)
            self.assertIn(why, done.stderr)
            self.assertFalse((self.scratch / "none").exists())


if __name__ == "__main__":
    for program in "swtpm", "openssl":
        if not shutil.which(program):
            print(f"there is no {program}")
            sys.exit(77)
    unittest.main()
