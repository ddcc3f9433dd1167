"""What tests that attack a CAS share: one that runs, its REST without our own client, evidence as a launcher would
make it (tests/attacks/evidence_kit), owners' credentials, and what its audit log says."""

import base64
import hashlib
import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import time
from pathlib import Path

from celljob import BUILD, CELLA, SCRATCH, check, has_secret

KIT = BUILD / "tests/attacks/evidence_kit"
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")  # before the point in a public key
CELL, BUILDER, EXECUTOR = "44" * 48, "55" * 32, "11" * 48  # of evidence that says nothing else
NOT_FOR_THIS_KEY = 3
REFUSED, DENIED = 13, 23  # kinds of entries of the audit log (cas/audit/audit.h)
KEPT_S = 20  # that a connection may be idle and be used again: the CAS ends it after a minute
ROOM = 1 << 30  # bytes of locked memory that suffice for a CAS
MEMORY = () if has_secret()[0] and not 0 <= resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] < ROOM else ("--insecure-memory-none",)


def kit(*words):
    done = subprocess.run([KIT, *map(str, words)], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


# ---- the command line


def cella(*words, text="", env=None, program=()):
    return subprocess.run([*program, CELLA, *map(str, words)], capture_output=True, text=True, check=False, timeout=300, input=text,
                          env={**os.environ, **(env or {})})


def good(what, done):
    """Its standard output."""
    check(done.returncode == 0, f"{what}: {done.returncode} {done.stderr.strip()[-400:]}")
    return done.stdout


def refused(what, done, words, status=1):
    check(done.returncode == status and all(word in done.stderr for word in words),
          f"{what}: {done.returncode} {done.stderr.strip()[-400:]}")


def use(cas, credential=None):
    """It is the current CAS, its owner who asks unless it is somebody else."""
    good("attest", cella("cas", "attest", f"https://127.0.0.1:{cas.port}", "--pin", cas.pin, "--name", "here",
                         "--credential", credential or cas.owner))


# ---- evidence


class Launcher:
    def __init__(self):
        self.private, self.key = kit("launcher")

    def sign(self, nonce, to, **claims):
        claims = {"nonce": nonce, "key": to.public, **claims}
        return kit("sign", self.private, *(f"{name}={value}" for name, value in claims.items()))[0]


class Executor:
    def __init__(self):
        self.private, self.public = kit("executor")

    def open(self, grant):
        """What a grant says, or None if it is not for this key."""
        done = subprocess.run([KIT, "open", self.private, self.public, grant], capture_output=True, text=True, check=False,
                              timeout=120)
        if done.returncode == NOT_FOR_THIS_KEY:
            return None
        if done.returncode:
            raise ValueError(done.stderr)
        return json.loads(done.stdout)


class Keeper:
    """The root keeper, as an executor with a grant asks it through somebody."""

    def __init__(self, cas, name, evidence, grant):
        self.cas, self.name, self.evidence, self.key = cas, name, evidence, grant["data_key"]
        self.volume = grant["volumes"][0]["id"]
        self.number = 0

    def seal(self, operation, *more, number=None, volume=None):
        """A question, and its number."""
        number = self.number if number is None else number
        self.number = max(self.number, number + 1)
        return kit("ask", self.key, number, operation, volume or self.volume, *more)[0], number

    def send(self, question, name=None, evidence=None):
        """Status, and the sealed answer or the sentence."""
        status, answer = self.cas.ask("POST", "/v1/keeper", {"session": name or self.name, "service": "s",
                                                             "evidence": evidence or self.evidence, "question": question})
        return status, answer["answer"] if status == 200 else answer["detail"]

    def open(self, answer, number):
        """(error, token, root, text), or None if it is not the answer to that question."""
        done = subprocess.run([KIT, "answer", self.key, str(number), answer], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode == NOT_FOR_THIS_KEY:
            return None
        error, token, root, text = done.stdout.rstrip("\n").split(" ", 3)
        return int(error), int(token), root, text

    def ask(self, operation, *more, **others):
        question, number = self.seal(operation, *more, **others)
        status, answer = self.send(question)
        return self.open(answer, number) if status == 200 else (status, 0, "", answer)


class Credential:
    """A private key and a certificate for it, signed by itself."""

    def __init__(self, name, begin=-86400, end=86400):
        self.path = SCRATCH / f"{name}.pem"
        self.hash = kit("credential", self.path, begin, end)[0]


def key_hash(certificate):
    """Of a certificate in DER with a P-256 key: what clients pin, and owners are known by."""
    at = certificate.index(P256)
    return hashlib.sha256(certificate[at:at + len(P256) + 65]).hexdigest()


class WrongKey(Exception):
    """The server has proven another key than the one that was pinned."""


def held_port():
    """A socket that listens at no port but keeps one: nobody is given it, and who asks for it by number, as a CAS does
    each time that it is started, may listen there."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Cas:
    """A CAS that runs, started again at the same port. As a context it is killed at the end, if it still runs. What it
    says goes to a file: it would wait for a reader of a pipe that is full."""

    def __init__(self, name="cas", *options):
        self.directory, self.options = SCRATCH / name, options
        self.owner = SCRATCH / f"{name}.owner.pem"
        self.log_file = SCRATCH / f"{self.directory.name}.log"
        self.held = held_port()
        self.links = {}
        self.process = None
        self.start()

    def start(self):
        self._run([CELLA, "cas", *self.options])

    def _run(self, command, env=None):
        listen = f"127.0.0.1:{self.held.getsockname()[1]}"
        with open(self.log_file, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*command, "--dir", self.directory, "--listen", listen, "--rate", "1000000"],
                                            stdout=subprocess.PIPE, stderr=log, text=True, env=env)
        said = self.process.stdout.readline().split(), self.process.stdout.readline().split()
        if len(said[0]) != 4 or len(said[1]) != 2:
            raise RuntimeError(f"the CAS does not start: {self.log_file.read_text(encoding='utf-8')}")
        self.port, self.pin = int(said[0][3]), said[1][1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()

    def _ended(self):
        for link, _ in self.links.values():
            link.close()
        self.links = {}
        self.output = self.process.stdout.read(), self.log_file.read_text(encoding="utf-8")
        self.process.stdout.close()

    def stop(self):
        """Ends it in order; its status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        self._ended()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=120)
        self._ended()

    def context(self, who=None, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if who:
            context.load_cert_chain(who)
        return context

    def connect(self, who=None, context=None):
        """A connection whose other end has proven the pinned key."""
        link = http.client.HTTPSConnection("127.0.0.1", self.port, context=context or self.context(who), timeout=120)
        link.connect()
        if key_hash(link.sock.getpeercert(binary_form=True)) != self.pin:
            link.close()
            raise WrongKey
        return link

    def ask(self, method, path, body=None, who=None, link=None):
        """Status and body, which is decoded if it is JSON. `who`: a credential's path; None: no certificate."""
        own = link is None
        link = self._kept(who) if own else link
        text = json.dumps(body) if isinstance(body, (dict, list)) else body
        try:
            link.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            answer = link.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.links.pop(who, None)
            link.close()
            raise
        if answer.will_close and own:
            self.links.pop(who, None)
            link.close()
        elif own:
            self.links[who] = link, time.monotonic()
        kind = answer.getheader("Content-Type", "")
        return answer.status, json.loads(content) if "json" in kind else content.decode()

    def _kept(self, who):
        """The connection for this credential, or a new one."""
        link, used = self.links.get(who, (None, 0))
        if link and time.monotonic() - used > KEPT_S:
            self.links.pop(who)[0].close()
            link = None
        return link or self.connect(who)

    def nonce(self):
        status, answer = self.ask("POST", "/v1/nonce")
        assert status == 200, answer
        return answer["nonce"]

    def attest(self, session, service, evidence):
        """Status, and the grant or the sentence."""
        status, answer = self.ask("POST", "/v1/attest", {"session": session, "service": service, "evidence": evidence})
        return status, answer["grant"] if status == 200 else answer.get("detail", "")

    def reasons(self, session, service, who=None):
        """Of the last refusals, the newest first."""
        status, answer = self.ask("GET", f"/v1/sessions/{session}/services/{service}/refusals", who=who or self.owner)
        return [refusal["reasons"] for refusal in answer["refusals"]] if status == 200 else []

    def audit(self, *options):
        """cella cas audit --verify, of one that is stopped."""
        return subprocess.run([CELLA, "cas", "audit", "--dir", self.directory, "--verify", *options], capture_output=True,
                              text=True, check=False, timeout=300)

    def log(self):
        """Of a stopped one, every entry: kind, who, and what, decoded."""
        return read_log(self.directory)


def read_log(directory):
    database = sqlite3.connect(f"file:{directory}/cas.db?mode=ro", uri=True)
    found = []
    for (entry,) in database.execute("SELECT entry FROM log ORDER BY number"):
        (kind,) = struct.unpack_from("<H", entry, 6)
        (size,) = struct.unpack_from("<I", entry, 88)
        who, at = entry[92:92 + size].decode(), 92 + size
        (size,) = struct.unpack_from("<I", entry, at)
        found.append((kind, who, json.loads(entry[at + 4:at + 4 + size])))
    database.close()
    return found


# ---- sessions


def alternative(cell=CELL, **others):
    lines = [f"cell: {cell}", *(f"{name}: {value}" for name, value in others.items())]
    return "      - " + "\n        ".join(lines) + "\n"


def session(name, services=None, more="", predecessor=None, access="  read: CREATOR\n  update: CREATOR\n", secrets=""):
    """The text of one. services: {name: the lines of its attestation}; each gets TOKEN, which is generated."""
    text = f'name: {name}\nversion: "0.1"\n' + (f"predecessor: {predecessor}\n" if predecessor else "")
    text += "secrets:\n  - {name: token, kind: ascii, size: 32}\n" + secrets + more + "services:\n"
    for service, attestation in (services or {"s": alternative()}).items():
        text += f"  - name: {service}\n    command: [x]\n    environment:\n      TOKEN: $$CELLA::token$$\n"
        text += f"    attestation:\n{attestation}"
    return text + "access_policy:\n" + access


# ---- forged credentials


def private_key_pem(scalar, point):
    """RFC 5915, with a public key that need not belong to it."""
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    public = b"\x03\x42\x00" + point
    inner = b"\x02\x01\x01\x04\x20" + scalar + curve + b"\xa1" + bytes([len(public)]) + public
    text = base64.encodebytes(b"\x30" + bytes([len(inner)]) + inner).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"


def scalar_of(pem):
    """The private number in a PKCS#8 key of P-256, which a credential begins with."""
    body = pem.split("-----")[2]
    der = base64.b64decode(body)
    at = der.index(b"\x02\x01\x01\x04\x20") + 5
    return der[at:at + 32]


def stolen(name, victim, scalar):
    """A credential with the victim's certificate and somebody's private number, which OpenSSL takes for a pair."""
    pem = Path(victim).read_text(encoding="ascii")
    certificate = pem[pem.index("-----BEGIN CERTIFICATE"):]
    der = ssl.PEM_cert_to_DER_cert(certificate)
    at = der.index(P256) + len(P256)
    path = SCRATCH / f"{name}.pem"
    path.write_text(private_key_pem(scalar, der[at:at + 65]) + certificate, encoding="ascii")
    os.chmod(path, 0o600)
    return path
