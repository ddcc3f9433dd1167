#!/usr/bin/env python3
# as: root user
"""Do confidential guests get the secrets that a session has for them, by the protocol that Confidential Containers'
guests speak, and does nobody else?

A guest is played by tests/lib/kbstest.py: its own cryptography, in every version of the protocol, with every kind of
key. Its processor is made up by tests/attacks/guest_kit, which the CAS believes only as tests/attacks/cas_of_tests;
with cella-cas the same guest is refused. Every attack has the same without the attack beside it, which is accepted;
what is refused is told to the guest by a number and no more, to the owner by both values, and is in the audit log."""

import json
import os
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import MEMORY, REFUSED, Cas, Credential, cella, good, refused, use
from celljob import SCRATCH, SOURCE, check, finish
from kbstest import (DEBUG_POLICY, EcKey, Guest, InvalidSignature, Processor, RsaKey, TestCas, decoded, encoded, token_claims)

MEASUREMENT, OTHER = "a5" * 48, "5a" * 48
NAME = "clinic/hospital"
VERSIONS = ("0.4.0", "0.3.0", "0.2.0", "0.1.1")
REFUSED_TEXT = "the owner of the resource, or the operator of the CAS, can see why"
SESSION = f"""name: {NAME}
version: "0.1"
secrets:
  - {{name: made, kind: ascii, size: 40, guests: [{{snp: {{measurement: {MEASUREMENT}}}}}]}}
  - {{name: key, kind: binary, upload: true, guests: [{{snp: {{measurement: {MEASUREMENT}}}}}]}}
  - {{name: text, kind: ascii, upload: true, guests: [{{snp: {{measurement: {MEASUREMENT}}}}}]}}
  - {{name: other, kind: ascii, size: 40, guests: [{{snp: {{measurement: {OTHER}}}}}]}}
  - name: either
    kind: ascii
    size: 40
    guests:
      - tdx: {{mr_td: {OTHER}, rtmr1: {OTHER}, rtmr2: {OTHER}}}
      - snp: {{measurement: {MEASUREMENT}, minimum_tcb: {{snp: 24}}}}
  - {{name: newer, kind: ascii, size: 40, guests: [{{snp: {{measurement: {MEASUREMENT}, minimum_tcb: {{snp: 25}}}}}}]}}
  - {{name: cells, kind: ascii, size: 40}}
access_policy:
  read: CREATOR
  update: CREATOR
"""


class Target:
    def __init__(self, cas, processor):
        self.cas, self.processor = cas, processor
        self.said = []  # words that refusals in the audit log must have

    def guest(self, key=None, version="0.4.0"):
        return Guest(self.cas, self.processor, key, version)

    def attested(self, *more, **others):
        guest = self.guest(**others)
        status, answer = guest.handshake(*more)
        check(status == 200, f"accepted: a handshake: {status} {answer if status != 200 else ''}")
        return guest

    def reasons(self, secret):
        return (self.cas.reasons(urllib.parse.quote(NAME, safe=""), secret) or [""])[0]

    def attestations(self):
        return self.cas.ask("GET", "/v1/guests/refusals", who=self.cas.owner)[1]["refusals"]

    def refused(self, what, answer, words=()):
        """An attestation: a number for the guest, all words for the operator."""
        status, said = answer
        detail = said["detail"] if isinstance(said, dict) else str(said)
        last = (self.attestations() or [{"id": "", "reasons": ""}])[0]
        check(status == 401 and said["type"].endswith("/AttestationError") and detail == f"refused ({last['id']}): {REFUSED_TEXT}",
              f"refused: {what}: {status} {detail}")
        check(all(word in last["reasons"] for word in words), f"the operator reads {words} in {last['reasons'][:300]!r}")
        self.said += [(last["id"], word) for word in words]

    def denied(self, what, answer, secret, words=()):
        """A resource: a number for the guest, all words for the owner."""
        status, said = answer
        reasons = self.reasons(secret) if words else ""
        number = said["detail"][len("refused ("):][:16] if isinstance(said, dict) else ""
        check(status == 403 and said["type"].endswith("/PolicyDeny") and said["detail"] == f"refused ({number}): {REFUSED_TEXT}",
              f"denied: {what}: {status} {said if status != 200 else '(the secret)'}")
        check(all(word in reasons for word in words) and (not words or f"guest {number}" in reasons),
              f"its owner reads {words} in {reasons[:300]!r}")
        self.said += [(number, word) for word in words]


def upload(t, secret, content, who, name=NAME):
    return t.guest().ask("POST", f"/kbs/v0/resource/{name}/{secret}", content,
                         {"Content-Type": "application/octet-stream"}, who=who)


# ---- what works


def sessions_of_guests(t):
    """Every kind of key and every version; the secret is the same for all."""
    keys, found = (RsaKey(2048), RsaKey(4096), EcKey("P-256"), EcKey("P-384"), EcKey("P-521")), set()
    for version in VERSIONS:
        for key in keys:
            guest = t.attested(key=key, version=version)
            status, secret = guest.get(f"{NAME}/made")
            check(status == 200 and len(secret) == 40, f"{version}, {key.jwk()['kty']} {key.jwk().get('crv', '')}: {status}")
            found.add(secret)
    check(len(found) == 1, f"all guests have read the same: {len(found)}")
    for names, chosen in (((("sha512"),), "sha512"), (("sha256",), "sha256"), (("sha256", "sha384"), "sha384"), (None, "sha384")):
        guest = t.guest()
        guest.auth(hashes_known=names)
        check(guest.hash == chosen and guest.attest()[0] == 200, f"of {names} {chosen} is taken, and binds")
    guest = t.guest()
    guest.auth()
    devices = json.dumps({"nvidia": "a device's \u00e9vidence\n"})
    evidence = guest.evidence(runtime=guest.runtime(additional=devices))
    check(guest.attest(guest.attestation(evidence, additional=devices))[0] == 200, "evidence of devices is under the hash, too")


def tokens(t):
    keys = t.cas.ask("GET", "/v1/guests/keys")[1]
    for version, algorithm in (("0.4.0", "ES384"), ("0.1.1", "RS256")):
        guest = t.attested(version=version)
        header, claims = token_claims(guest.token, keys)
        check(header["alg"] == algorithm and claims["jwk"]["kid"] == header["kid"], f"{version}: {header['alg']}")
        check(claims["tee-pubkey"] == guest.key.jwk() == claims["customized_claims"]["runtime_data"]["tee-pubkey"],
              "it certifies the guest's key")
        check(claims["tcb-status"]["measurement"] == MEASUREMENT and claims["tee"] == "snp" and
              "failed" not in claims["evaluation-report"].values(), "and says what the evidence says")
        check(claims["exp"] - claims["iat"] == 300 and claims["iss"].startswith("urn:cella:cas:"), "for five minutes")
        cookie, guest.cookie = guest.cookie, None
        bearer = {"Authorization": f"Bearer {guest.token}"}
        check(guest.get(f"{NAME}/made")[0] == 401, "without cookie and token there is nothing")
        check(guest.get(f"{NAME}/made", headers=bearer)[0] == 200, "the token stands for the cookie")
        head, body, signature = guest.token.split(".")
        changed = encoded(decoded(body).replace(b'"tee":"snp"', b'"tee":"tdx"'))
        none = encoded(json.dumps({"alg": "none", "typ": "JWT"}).encode())
        for what, token in (("changed", f"{head}.{changed}.{signature}"), ("unsigned", f"{none}.{body}."), ("cut", f"{head}.{body}"),
                            ("somebody's", f"{head}.{body}.{encoded(os.urandom(len(decoded(signature))))}"), ("empty", "")):
            status, answer = guest.get(f"{NAME}/made", headers={"Authorization": f"Bearer {token}"})
            check(status == 401 and answer["type"].endswith("/TokenNotFound"), f"a token that is {what}: {status}")
            try:
                token_claims(token, keys)
                check(what == "cut" or not token, "others find out, too")
            except (InvalidSignature, ValueError, KeyError, StopIteration):
                pass
        guest.cookie = cookie
        check(guest.get(f"{NAME}/made")[0] == 200, "the cookie still stands")


def uploads(t, stranger):
    guest = t.attested()
    t.denied("a secret before it is uploaded", guest.get(f"{NAME}/key"), "key", [f"was not uploaded: cella session upload {NAME}/key FILE"])
    content = os.urandom(4096)
    check(upload(t, "key", content, t.cas.owner)[0] == 204, "its owner uploads it")
    check(guest.get(f"{NAME}/key") == (200, content), "the guest has it")
    check(upload(t, "key", b"\0", t.cas.owner)[0] == 204 and guest.get(f"{NAME}/key") == (200, b"\0"), "and the next one")
    big = os.urandom(1 << 20)
    check(upload(t, "key", big, t.cas.owner)[0] == 204 and guest.get(f"{NAME}/key") == (200, big), "and 1 MiB")
    check(guest.announce(f"/kbs/v0/resource/{NAME}/key", len(big) + 1, t.cas.owner) == 413, "no more")
    check(upload(t, "text", "no ascii: \u00e9".encode(), t.cas.owner)[0] == 400, "what is of another kind is refused")
    check(upload(t, "text", b"a text\n", t.cas.owner)[0] == 204 and guest.get(f"{NAME}/text") == (200, b"a text\n"), "a text")
    check(upload(t, "key", b"", t.cas.owner)[0] == 400, "nothing is no secret")
    check(upload(t, "made", b"mine", t.cas.owner)[0] == 400, "what is generated is not uploaded")
    check(upload(t, "nothing", b"x", t.cas.owner)[0] == 404, "nor what there is not")
    check(upload(t, "key", b"x", t.cas.owner, "clinic/none")[0] == 404, "of a session that there is not")
    answers = [upload(t, "key", b"stranger's", stranger.path), upload(t, "key", b"x", stranger.path, "clinic/none")]
    check([status for status, _ in answers] == [403, 403], f"a stranger uploads nothing: {answers}")
    check(answers[0][1]["detail"].replace(NAME, "") == answers[1][1]["detail"].replace("clinic/none", ""),
          "and does not learn which sessions there are")
    check(upload(t, "key", b"x", None)[0] == 403, "nor does who has no certificate")
    check(guest.get(f"{NAME}/key") == (200, big), "the secret is what it was")


def command_line(t, stranger):
    """The same by the owner's commands, without a line of HTTP."""
    use(t.cas)
    file = SCRATCH / "session.yml"
    file.write_text(SESSION, encoding="ascii")
    origins = {s["name"]: s["origin"] for s in json.loads(good("check", cella("session", "check", "--json", file)))["secrets"]}
    check((origins["key"], origins["made"]) == ("uploaded", "generated"), f"it is told how each secret comes: {origins}")
    secret, guest = SCRATCH / "secret", t.attested()
    secret.write_bytes(b"\x00\xffby command")
    good("upload", cella("session", "upload", f"{NAME}/key", secret))
    check(guest.get(f"{NAME}/key") == (200, b"\x00\xffby command"), "the guest has what was uploaded")
    good("upload from standard input", cella("session", "upload", f"{NAME}/key", "-", text="again"))
    check(guest.get(f"{NAME}/key") == (200, b"again"), "and what came next")
    secret.write_bytes(b"")
    refused("nothing", cella("session", "upload", f"{NAME}/key", secret), ["has none"], 2)
    refused("a name that is none", cella("session", "upload", "hospital/key", secret), ["NAMESPACE/NAME/SECRET"], 2)
    secret.write_bytes(b"x")
    refused("what is generated", cella("session", "upload", f"{NAME}/made", secret), ["not one that is uploaded"], 2)
    said = good("explain", cella("session", "explain", f"{NAME}/made"))
    check(said == f"nobody was refused as {NAME}/made\n", f"explain: {said!r}")
    status, answer = guest.get(f"{NAME}/newer")
    said = good("explain", cella("session", "explain", f"{NAME}/newer"))
    check(status == 403 and answer["detail"][9:25] in said and "minimum.reported.snp: wanted" in said,
          f"by the guest's number the owner finds why: {said!r}")
    guest = t.guest()
    guest.auth()
    status, answer = guest.attest(guest.attestation(nonce="another"))
    said = good("refusals", cella("cas", "refusals"))
    number, lines = answer["detail"][9:25], said.splitlines()
    check(status == 401 and lines[0].startswith(f"{number}  20") and lines[0].endswith("  from 127.0.0.1") and
          lines[1].startswith("  nonce: wanted the challenge's, "), f"by the guest's number an owner finds why it was refused: {said[:300]!r}")
    check(json.loads(good("refusals", cella("cas", "refusals", "--json"))) == t.attestations(), "as JSON, too")
    use(t.cas, stranger.path)
    refused("whose attestations were refused, for a stranger", cella("cas", "refusals"), ["no owner"])
    use(t.cas)
    refused("what is no service and for no guest", cella("session", "explain", f"{NAME}/nothing"), ["has no service nothing"])


# ---- what is refused


def request_attacks(t):
    for tee, words in (("sample", "proves nothing"), ("sampledevice", "proves nothing"), ("cca", "not verified here"), (7, "no text")):
        status, answer = t.guest().auth(tee=tee)
        check(status == 401 and words in answer["detail"], f"the kind {tee}: {status} {answer}")
    for version, words in (("0.1.0", "without saying where one ends"), ("0.5.0", "are served"), ("1", "are served"), (4, "no text")):
        guest = t.guest()
        status, answer = guest.ask("POST", "/kbs/v0/auth", {"version": version, "tee": "snp", "extra-params": ""})
        check(status == 401 and words in answer["detail"], f"version {version}: {status} {answer}")
    for members in ({"tee": "x" * 19 + "\u00e9"}, {"version": "0" * 19 + "\u00e9"}, {"tee": "\u009b2J\x1b[2J\n"}):
        status, answer = t.guest().ask("POST", "/kbs/v0/auth", {"version": "0.4.0", "tee": "snp", "extra-params": "", **members})
        check(status == 401 and answer.get("type", "").endswith("/AttestationError") and answer["detail"].isprintable(),
              f"what is cut within a character, or is none for a terminal: {status} {answer}")
    check(t.guest().auth(hashes_known=("sha1", "md5"))[0] == 401, "hashes that are too weak, or none")
    for body in ("", "{", "[]", "null", '{"version":"0.4.0","version":"0.4.0","tee":"snp"}', '{"version":"0.4.0"}', "[" * 5000):
        status, answer = t.guest().ask("POST", "/kbs/v0/auth", body)
        check(status == 401 and answer["type"].endswith("/SerdeError"), f"no request: {body[:20]!r}: {status}")
    check(t.guest().announce("/kbs/v0/auth", 20000) == 413, "a request that is too large")
    check(t.guest().auth()[0] == 200, "accepted: a request as it should be")


def cookie_attacks(t):
    guest = t.attested()
    body, cookie = guest.attestation(), guest.cookie
    t.refused("a cookie that was used", guest.attest(body), ["cookie: ", "used before"])
    check(guest.get(f"{NAME}/made")[0] == 200, "whoever used it first still has what it has")
    other = t.guest()
    other.auth()
    own = other.cookie
    for what, value, words in (("none", None, "not there once"), ("made up", "A" * 64, "since it was started"),
                               ("short", "A", "none of this CAS"), ("changed", own[:-1] + ("A" if own[-1] != "A" else "E"), ""),
                               ("twice", f"{own}; kbs-session-id={own}", "not there once")):
        other.cookie = value
        t.refused(f"a cookie that is {what}", other.attest(), ["cookie: ", words])
        check(other.get(f"{NAME}/made")[0] == 401, f"no resource for a cookie that is {what}")
    other.cookie = own
    check(other.get(f"{NAME}/made")[0] == 401, "no resource before the attestation")
    check(other.attest()[0] == 200 and other.get(f"{NAME}/made")[0] == 200, "accepted: the cookie as it was")
    thief = t.guest()
    thief.cookie = cookie
    status, jwe = thief.ask("GET", f"/kbs/v0/resource/{NAME}/made")
    check(status == 200, "a stolen cookie is answered")
    try:
        thief.key.unwrap(json.loads(decoded(jwe["protected"])), decoded(jwe["encrypted_key"]))
        check(False, "but only the guest can read it")
    except Exception:  # cryptography has one for each way to fail
        check(True, "but only the guest can read it")


def evidence_attacks(t):
    guest = t.guest()
    guest.auth()
    stale, old = guest.evidence(), guest.nonce
    guest.auth()
    t.refused("evidence for another challenge", guest.attest(guest.attestation(stale)), ["report_data: wanted "])
    guest.auth()
    t.refused("another challenge's nonce", guest.attest(guest.attestation(nonce=old)), ["nonce: wanted the challenge's"])
    guest.auth()
    t.refused("that nonce, and its evidence", guest.attest(guest.attestation(stale, nonce=old)), ["nonce: wanted", "report_data: wanted"])
    guest.auth()
    check(guest.attest()[0] == 200, "accepted: evidence for this challenge")

    relayed, mine = t.guest(), t.guest()
    mine.auth()
    mine.key = EcKey()
    t.refused("another's key under a guest's evidence", mine.attest(mine.attestation(relayed_evidence(relayed, mine))),
              ["report_data: wanted"])
    for version in VERSIONS:
        mine = t.guest(version=version)
        mine.auth()
        body = mine.attestation()
        mine.key = RsaKey()
        again = mine.attestation(evidence=mine.evidence(data=bytes(48)))
        where = again.get("runtime-data", again)
        check(where["tee-pubkey"] == mine.key.jwk(), "the other key is in it")
        body.get("runtime-data", body)["tee-pubkey"] = mine.key.jwk()
        t.refused(f"{version}: another key in the runtime data", mine.attest(body), ["report_data: wanted"])

    guest.auth()
    t.refused("a signature changed", guest.attest(guest.attestation(guest.evidence("a5", "0x3001f", "signature"))),
              ["signature: wanted of the report, by the key of that certificate, found it does not hold"])
    guest.auth()
    t.refused("no certificates", guest.attest(guest.attestation(guest.evidence("a5", "0x3001f", "bare"))), ["certificate: wanted"])
    guest.auth()
    evidence = guest.evidence()
    evidence["attestation_report"]["measurement"][0] ^= 1
    t.refused("a measurement changed", guest.attest(guest.attestation(evidence)), ["signature: "])
    recorded_attacks(t)


def relayed_evidence(relayed, mine):
    """What a real guest answers to the challenge of somebody in the middle, who then puts his key there."""
    relayed.nonce, relayed.hash = mine.nonce, mine.hash
    return relayed.evidence()


def recorded_attacks(t):
    """Real processors' reports, which cannot know the nonce: in the report data first, whatever else."""
    data = SOURCE / "../shared/data/attestation/snp/milan_c.report.bin"
    if not data.is_file():
        print("skipped: recorded: there is no recorded evidence beside the repository")
        return
    guest = t.guest()
    guest.auth()
    report = encoded(data.read_bytes())
    evidence = {"attestation_report": report, "cert_chain": None}
    t.refused("a real report of another day", guest.attest(guest.attestation(evidence)), ["report_data: wanted"])


def malformed(t):
    guest = t.guest()
    guest.auth()
    good = guest.attestation()
    report = good["tee-evidence"]["primary_evidence"]["attestation_report"]
    jwk = good["runtime-data"]["tee-pubkey"]

    def with_key(**members):
        changed = {name: value for name, value in {**jwk, **members}.items() if value is not None}
        return {**good, "runtime-data": {**good["runtime-data"], "tee-pubkey": changed}}

    def with_report(**members):
        changed = {name: value for name, value in {**report, **members}.items() if value is not None}
        return {**good, "tee-evidence": {"primary_evidence": {"attestation_report": changed, "cert_chain": None},
                                         "additional_evidence": ""}}

    rows = [({}, "tee-pubkey"), ({**good, "tee-evidence": None}, "tee-evidence"), (with_key(x="AA"), "coordinates"),
            (with_key(x=jwk["y"]), "no public key"), (with_key(crv="P-257"), "P-257"), (with_key(kty="oct"), "no JWK"),
            (with_key(d="AA"), "members"), (with_key(alg="ECDH-ES"), "ECDH-ES is not served"), (with_key(y=None), '"y"'),
            (with_key(kty="RSA", alg="RSA1_5", crv=None, x=None, y=None, n=encoded(os.urandom(256)), e="AQAB"), "padding"),
            (with_key(kty="RSA", alg="RSA-OAEP-256", crv=None, x=None, y=None, n=encoded(b"\xff" * 128), e="AQAB"), "bits"),
            (with_report(version=None), "version"), (with_report(version=-1), "version"), (with_report(vmpl=1 << 32), "vmpl"),
            (with_report(measurement=[0] * 47), "measurement"), (with_report(measurement=[256] * 48), "no byte"),
            (with_report(chip_id="00"), "chip_id"), (with_report(reported_tcb=[]), "reported_tcb"),
            (with_report(signature={"r": [0] * 72}), '"s"')]
    for body, words in rows:
        guest.auth()
        status, answer = guest.attest(body)
        check(status == 401 and words in answer["detail"] and not answer["detail"].startswith("refused"),
              f"malformed: {words}: {status} {answer}")
    guest.auth()
    check(guest.announce("/kbs/v0/attest", 600 << 10) == 413, "an attestation that is too large")
    check(t.attested().get(f"{NAME}/made")[0] == 200, "accepted: an attestation as it should be")


def resource_attacks(t):
    guest = t.attested()
    check(guest.get(f"{NAME}/made")[0] == 200, "accepted: the guest that the session names")
    t.denied("a measurement that is not the reference", guest.get(f"{NAME}/other"), "other",
             [f"alternative 1: measurement: wanted {OTHER}, found {MEASUREMENT}"])
    t.denied("a TCB that is too old", guest.get(f"{NAME}/newer"), "newer", ["minimum.reported.snp: wanted", "24"])
    check(guest.get(f"{NAME}/either")[0] == 200, "accepted: the second alternative holds")
    t.denied("a secret that is for no guest", guest.get(f"{NAME}/cells"), "cells", ["guests: wanted some"])
    t.denied("a secret that there is not", guest.get(f"{NAME}/nothing"), "nothing")
    t.denied("a session that there is not", guest.get("clinic/none/made"), "none")
    another = t.attested("5a")
    t.denied("another guest", another.get(f"{NAME}/made"), "made", [f"measurement: wanted {MEASUREMENT}, found {OTHER}"])
    check(another.get(f"{NAME}/other")[0] == 200, "accepted: it has its own")
    t.denied("that guest and two alternatives", another.get(f"{NAME}/either"), "either",
             ["none of 2 alternatives holds", "alternative 1: machine: wanted tdx, found snp", "alternative 2: measurement: "])
    debugged = t.attested("a5", hex(DEBUG_POLICY))
    t.denied("a guest that its host can read", debugged.get(f"{NAME}/made"), "made", ["policy.debug: wanted not so"])
    return another


def changed_session(t, guest):
    """A session is judged as it is now, not as it was when the guest attested."""
    path = f"/v1/sessions/{urllib.parse.quote(NAME, safe='')}"
    listed = t.cas.ask("GET", "/v1/sessions", who=t.cas.owner)[1]["sessions"][0]["hash"]
    now = SESSION.replace("secrets:", f"predecessor: {listed}\nsecrets:", 1).replace(
        f"name: made, kind: ascii, size: 40, guests: [{{snp: {{measurement: {MEASUREMENT}",
        f"name: made, kind: ascii, size: 40, guests: [{{snp: {{measurement: {OTHER}")
    good = t.attested()
    before = good.get(f"{NAME}/made")
    status, answer = t.cas.ask("POST", "/v1/sessions", now, t.cas.owner)
    check(status == 201 and before[0] == 200, f"the session is changed: {status} {answer}")
    t.denied("the guest that was right before", good.get(f"{NAME}/made"), "made", ["measurement: wanted"])
    check(guest.get(f"{NAME}/made") == before, "accepted: the one that is right now, with the same secret")
    check(t.cas.ask("DELETE", path, who=t.cas.owner)[0] == 204, "the session is deleted")
    t.denied("a guest of a session that went", guest.get(f"{NAME}/made"), "made")


def restarted(t):
    """Nothing of a handshake outlives the CAS; the keys of tokens do."""
    guest, begun = t.attested(), t.guest()
    begun.auth()
    keys = t.cas.ask("GET", "/v1/guests/keys")[1]
    t.cas.stop()
    log = t.cas.log()
    refusals = [what for kind, _, what in log if kind == REFUSED]
    for number, word in t.said:
        check(any(what.get("id") == number and word in what["refused"] for what in refusals), f"in the audit log: {word!r}")
    given = [what for _, _, what in log if (what.get("session"), what.get("secret")) == (NAME, "either")]
    check(any(what.get("alternative") == 2 for what in given), "what was given is there, too")
    check(t.cas.audit(*MEMORY).returncode == 0, "the log holds")
    t.cas.start()
    check(t.cas.ask("GET", "/v1/guests/keys")[1] == keys, "the keys are the same after a restart")
    t.refused("a handshake from before", begun.attest(), ["since it was started"])
    check(guest.get(f"{NAME}/made")[0] == 401, "a guest from before begins anew")
    check(guest.get(f"{NAME}/made", headers={"Authorization": f"Bearer {guest.token}"})[0] == 401, "with its token, too")
    check(t.attested().token is not None, "accepted: a new handshake")


def production(processor):
    """The same guest, at the CAS that is installed."""
    with Cas("production", *MEMORY) as cas:
        cas.ask("POST", "/v1/sessions", SESSION, cas.owner)
        t = Target(cas, processor)
        guest = t.guest()
        status, _ = guest.auth()
        check(status == 200, "cella-cas: a handshake is begun")
        t.refused("a processor whose maker is made up", guest.attest(), ["certificate.root: wanted"])


def main():
    os.environ["CELLA_TEST_ROOT"] = "00" * 32  # which cella-cas does not look at
    with Processor() as processor:
        with TestCas(processor) as cas:
            t = Target(cas, processor)
            status, answer = cas.ask("POST", "/v1/sessions", SESSION, cas.owner)
            check(status == 201, f"a session: {answer}")
            sessions_of_guests(t)
            tokens(t)
            stranger = Credential("stranger")
            uploads(t, stranger)
            command_line(t, stranger)
            request_attacks(t)
            cookie_attacks(t)
            evidence_attacks(t)
            malformed(t)
            other = resource_attacks(t)
            changed_session(t, other)
            restarted(t)
        production(processor)
    finish()


main()
