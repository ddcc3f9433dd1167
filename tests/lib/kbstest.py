"""A confidential guest, as tests play it against a CAS: its key, its handshake (Confidential Containers' RCAR), and what
it reads of a resource, by Python's own TLS and HTTP and by the library cryptography. Its processor is
tests/attacks/guest_kit, which the CAS tests/attacks/cas_of_tests believes."""

import base64
import hashlib
import json
import os
import subprocess

from castest import Cas
from celljob import BUILD, SCRATCH
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

KIT = BUILD / "tests/attacks/guest_kit"
PROGRAM = BUILD / "tests/attacks/cas_of_tests"
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
DEBUG_POLICY = 0x3001f | 1 << 19


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value, size=None):
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Processor:
    def __init__(self):
        self.process = subprocess.Popen([KIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.root = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=120)
        self.process.stdout.close()

    def report(self, data, *more):
        """Evidence of SEV-SNP, as an attestation agent sends it."""
        self.process.stdin.write(" ".join([data.hex(), *map(str, more)]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class TestCas(Cas):
    """A CAS that believes a processor's maker."""

    def __init__(self, processor, name="cas"):
        self.root = processor.root
        super().__init__(name)

    def start(self):
        key = SCRATCH / f"{self.directory.name}.key"
        first = [] if self.directory.exists() else ["--init", self.owner]
        self._run([PROGRAM, "--key-file", key, "--insecure-memory-none", *first],
                  {**os.environ, "CELLA_TEST_ROOT": self.root})


class EcKey:
    algorithm = "ECDH-ES+A256KW"

    def __init__(self, curve="P-256"):
        self.curve, self.private = curve, ec.generate_private_key(CURVES[curve])
        self.size = (self.private.curve.key_size + 7) // 8

    def jwk(self):
        public = self.private.public_key().public_numbers()
        return {"kty": "EC", "crv": self.curve, "alg": self.algorithm, "x": number(public.x, self.size),
                "y": number(public.y, self.size)}

    def unwrap(self, header, wrapped):
        epk = header["epk"]
        assert (epk["kty"], epk["crv"]) == ("EC", self.curve), epk
        x, y = (int.from_bytes(decoded(epk[name]), "big") for name in "xy")
        peer = ec.EllipticCurvePublicNumbers(x, y, CURVES[self.curve]).public_key()
        name = header["alg"].encode()
        info = len(name).to_bytes(4, "big") + name + bytes(4) + bytes(4) + (256).to_bytes(4, "big")
        shared = self.private.exchange(ec.ECDH(), peer)
        return aes_key_unwrap(ConcatKDFHash(hashes.SHA256(), 32, info).derive(shared), wrapped)


class RsaKey:
    algorithm = "RSA-OAEP-256"

    def __init__(self, bits=2048):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)

    def jwk(self):
        public = self.private.public_key().public_numbers()
        return {"kty": "RSA", "alg": self.algorithm, "n": number(public.n), "e": number(public.e)}

    def unwrap(self, _header, wrapped):
        return self.private.decrypt(wrapped, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))


def opened(key, jwe):
    """What a guest reads of a resource; it writes the header anew, as Confidential Containers' do."""
    header = json.loads(decoded(jwe["protected"]))
    assert (header["alg"], header["enc"]) == (key.algorithm, "A256GCM"), header
    others = {name: header[name] for name in header if name not in ("alg", "enc")}
    again = json.dumps({"alg": header["alg"], "enc": header["enc"], **json.loads(json.dumps(others, sort_keys=True))},
                       separators=(",", ":"))
    content_key = key.unwrap(header, decoded(jwe["encrypted_key"]))
    return AESGCM(content_key).decrypt(decoded(jwe["iv"]), decoded(jwe["ciphertext"]) + decoded(jwe["tag"]),
                                       encoded(again.encode()).encode())


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Guest:
    """One that has a key and speaks a version of the protocol."""

    def __init__(self, cas, processor, key=None, version="0.4.0"):
        self.cas, self.processor, self.key, self.version = cas, processor, key or EcKey(), version
        self.cookie = self.token = self.nonce = None
        self.hash = "sha384"

    def ask(self, method, path, body=None, headers=None, who=None):
        """Status, JSON, and the cookie that was set."""
        link = self.cas.connect(who)
        text = json.dumps(body) if isinstance(body, (dict, list)) else body
        kind = {"Content-Type": "application/json"} if text is not None else {}
        cookie = {"Cookie": f"other=1; kbs-session-id={self.cookie}"} if self.cookie else {}
        link.request(method, path, text, {**kind, **cookie, **(headers or {})})
        answer = link.getresponse()
        content, set_cookie = answer.read(), answer.getheader("Set-Cookie")
        link.close()
        if set_cookie and set_cookie.startswith("kbs-session-id="):
            self.cookie = set_cookie.partition("=")[2].partition(";")[0]
        return answer.status, json.loads(content) if content else None

    def announce(self, path, size, who=None):
        """The status for so many bytes of a body, which are not sent."""
        link = self.cas.connect(who)
        link.putrequest("POST", path)
        link.putheader("Content-Length", str(size))
        link.endheaders()
        status = link.getresponse().status
        link.close()
        return status

    def auth(self, tee="snp", version=None, hashes_known=("sha256", "sha384", "sha512")):
        version = version or self.version
        old = version.startswith("0.1.")
        extra = "" if old or hashes_known is None else {"supported-hash-algorithms": list(hashes_known)}
        self.cookie = None
        status, answer = self.ask("POST", "/kbs/v0/auth", {"version": version, "tee": tee, "extra-params": extra})
        if status == 200:
            self.nonce = answer["nonce"]
            chosen = answer["extra-params"]
            assert isinstance(chosen, str) == isinstance(extra, str), answer
            self.hash = chosen["selected-hash-algorithm"] if chosen else "sha384"
        return status, answer

    def runtime(self, nonce=None, additional=""):
        data = {"nonce": nonce or self.nonce, "tee-pubkey": self.key.jwk()}
        return {**data, "additional-evidence": additional} if self.version == "0.4.0" else data

    def evidence(self, *more, data=None, runtime=None):
        return self.processor.report(data or hashlib.new(self.hash, canonical(runtime or self.runtime())).digest(), *more)

    def attestation(self, evidence=None, nonce=None, key=None, additional=""):
        evidence = evidence or self.evidence()
        jwk = key or self.key.jwk()
        if self.version in ("0.1.1", "0.2.0"):
            return {"tee-pubkey": jwk, "tee-evidence": json.dumps(evidence) if self.version == "0.1.1" else evidence}
        if self.version == "0.4.0":
            evidence = {"primary_evidence": evidence, "additional_evidence": additional}
        return {"runtime-data": {"nonce": nonce or self.nonce, "tee-pubkey": jwk}, "tee-evidence": evidence}

    def attest(self, body=None):
        status, answer = self.ask("POST", "/kbs/v0/attest", self.attestation() if body is None else body)
        if status == 200:
            self.token = answer["token"]
        return status, answer

    def handshake(self, *more):
        """With evidence that the processor makes so."""
        status, answer = self.auth()
        return self.attest(self.attestation(self.evidence(*more))) if status == 200 else (status, answer)

    def get(self, path, **others):
        """Status, and the resource or what was said."""
        status, answer = self.ask("GET", f"/kbs/v0/resource/{path}", **others)
        return status, opened(self.key, answer) if status == 200 else answer


def token_claims(token, keys):
    """Of a JWT, by the key of the set that its header names. Raises InvalidSignature."""
    head, body, signature = token.split(".")
    header, data, signature = json.loads(decoded(head)), f"{head}.{body}".encode(), decoded(signature)
    jwk = next(key for key in keys["keys"] if key["kid"] == header["kid"])
    assert jwk["alg"] == header["alg"] and header["typ"] == "JWT", header
    integer = {name: int.from_bytes(decoded(jwk[name]), "big") for name in "xyne" if name in jwk}
    if jwk["alg"] == "ES384":
        public = ec.EllipticCurvePublicNumbers(integer["x"], integer["y"], ec.SECP384R1()).public_key()
        if len(signature) != 96:
            raise InvalidSignature
        der = encode_dss_signature(*(int.from_bytes(signature[i:i + 48], "big") for i in (0, 48)))
        public.verify(der, data, ec.ECDSA(hashes.SHA384()))
    else:
        public = rsa.RSAPublicNumbers(integer["e"], integer["n"]).public_key()
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    return header, json.loads(decoded(body))
