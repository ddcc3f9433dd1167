#!/usr/bin/env python3
# as: root user
"""Does a CAS give keys to nobody but whom a session names, whatever is sent to it, and does the owner see why?

Evidence is made by tests/attacks/evidence_kit as a launcher would make it, everything is sent by Python's own TLS
and HTTP. Every attack has the same without the attack beside it, which is accepted; what is refused is answered by
one sentence, is in the service's last refusals, and at the end in the audit log. Nonces of another time than now
are unit/cas_attest's: they take another clock. What is tested here does not depend on memory: where secret memory has
no room for a CAS, as for ordinary users, it runs in ordinary memory."""

import base64
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import (BUILDER, CELL, DENIED, EXECUTOR, MEMORY, REFUSED, Cas, Credential, Executor, Keeper, Launcher, WrongKey,
                     alternative, scalar_of, session, stolen)
from celljob import CELLA, SCRATCH, check, finish

OTHER_CELL, OTHER_BUILDER, OTHER_EXECUTOR = "45" * 48, "56" * 32, "12" * 48
CREATOR = "  read: CREATOR\n  update: CREATOR\n"


def sentence(name, service):
    return f"the CAS refused: the session's owner can see why (cella session explain {name}/{service})"


class NoKey:
    """Of small order: whatever is sealed to it, anybody opens."""
    public = "01" + "00" * 31


class Target:
    """A CAS with an enrolled launcher and a session of one owner."""

    def __init__(self, cas):
        self.cas, self.launcher = cas, Launcher()
        self.said = []  # what the audit log must say at the end: kind, words
        self.enrol(self.launcher)
        self.hash = self.put(session("a"))

    def enrol(self, launcher):
        self.done("a launcher is enrolled", self.cas.ask("POST", "/v1/las", {"key": launcher.key, "label": "here"}, self.cas.owner))

    def done(self, what, answer, status=204):
        check(answer[0] == status, f"{what}: {answer}")
        return answer[1]

    def put(self, text, who=None):
        """A session that is accepted; its hash."""
        status, answer = self.cas.ask("POST", "/v1/sessions", text, who or self.cas.owner)
        check(status == 201, f"a session is put: {status} {answer}")
        return answer["hash"] if status == 201 else None

    def evidence(self, launcher=None, to=None, nonce=None, **claims):
        return (launcher or self.launcher).sign(nonce or self.cas.nonce(), to or Executor(), **claims)

    def granted(self, what, name="a", service="s", launcher=None, nonce=None, **claims):
        """The grant that an executor opens."""
        to = Executor()
        status, grant = self.cas.attest(name, service, self.evidence(launcher, to, nonce, **claims))
        opened = to.open(grant) if status == 200 else None
        check(opened is not None, f"accepted: {what}: {status} {'' if opened else grant}")
        return opened or {"environment": [], "volumes": []}

    def refused(self, what, words, evidence, name="a", service="s", who=None):
        """By one sentence; the owner reads all the words, each of them a requirement with what was found."""
        answer = self.cas.attest(name, service, evidence)
        check(answer == (403, sentence(name, service)), f"refused: {what}: {answer}")
        reasons = (self.cas.reasons(name, service, who) or [""])[0]
        check(all(word in reasons for word in words), f"its owner reads {words} in {reasons!r}")
        self.said += [(REFUSED, word) for word in words]

    def denied(self, what, answer, words=(), status=403):
        check(answer[0] == status and all(word in answer[1].get("detail", "") for word in words), f"denied: {what}: {answer}")
        if status == 403 and words:
            self.said += [(DENIED, word) for word in words]


# ---- evidence


def evidence_attacks(t, other):
    executor, thief = Executor(), Executor()
    evidence = t.evidence(to=executor)
    status, grant = t.cas.attest("a", "s", evidence)
    check(status == 200, "accepted: evidence for the first time")
    opened = executor.open(grant)
    check(opened and len(opened["environment"][0]) == len("TOKEN=") + 32, "its executor opens the grant, which has the secret")
    check(thief.open(grant) is None, "relayed: another key does not open it")
    t.refused("replayed evidence", ["replayed"], evidence)
    check(t.granted("another executor")["environment"] == opened["environment"], "it has the same secret")

    nonce = t.cas.nonce()
    changed = f"{int(nonce, 16) ^ 1:064x}"
    t.refused("a nonce that was made up", ["nonce: wanted one of this CAS"], t.evidence(nonce=os.urandom(32).hex()))
    t.refused("a nonce with a bit changed", ["nonce: wanted one of this CAS"], t.evidence(nonce=changed))
    later = f"{int.from_bytes(bytes.fromhex(nonce)[:8], 'little') + 60000:016x}"
    later = bytes.fromhex(later)[::-1].hex() + nonce[16:]
    t.refused("a nonce made younger", ["nonce: wanted one of this CAS"], t.evidence(nonce=later))
    t.granted("the nonce as it was", nonce=nonce)
    t.granted("the same nonce, for the next executor of the job", nonce=nonce)

    foreign = other.cas.nonce()
    t.refused("evidence for another CAS", ["nonce: wanted one of this CAS"], t.evidence(nonce=foreign))
    other.enrol(t.launcher)
    other.granted("that nonce where it comes from", launcher=t.launcher, nonce=foreign)


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_attacks(t):
    strange = Launcher()
    header, claims, signature = t.evidence().split(".")
    t.granted("evidence as it was signed")
    bad = "does not hold under the key that it names"
    better = encoded(decoded(claims).replace(CELL.encode(), OTHER_CELL.encode()))
    t.refused("claims changed behind the launcher's back", [bad], f"{header}.{better}.{signature}")
    t.refused("a signature changed", [bad], f"{header}.{claims}.{encoded(bytes(64))}")
    forged = t.evidence(launcher=strange).split(".")
    t.refused("a stranger's under the launcher's name", [bad], f"{header}.{forged[1]}.{forged[2]}")
    none = encoded(decoded(header).replace(b"EdDSA", b"none"))
    t.refused("an algorithm that is none", ["evidence: wanted what its launcher has signed", "alg"], f"{none}.{claims}.{signature}")
    t.refused("no signature", ["evidence: wanted what its launcher has signed"], f"{header}.{claims}.")
    for text in ("", ".", "..", "a.b.c", f"{header}.{claims}.{signature}.{signature}", "A" * 3000):
        t.refused(f"no token: {text[:12]!r}", ["evidence: wanted what its launcher has signed"], text)


def claims_attacks(t):
    t.granted("all as the session wants it")
    t.refused("another cell", ["cell: wanted " + CELL, "found " + OTHER_CELL], t.evidence(cell=OTHER_CELL))
    t.refused("a lower level", ["memory_level: wanted at least paged, found insecure-none"], t.evidence(level="insecure-none"))
    t.refused("a machine that is of no class", ["machine: wanted a class that this CAS knows"], t.evidence(machine="quantum"))
    t.put(session("strict", {"s": alternative(builder=BUILDER, executor=EXECUTOR, memory_level="secret", las=t.launcher.key,
                                              machine="soft")}))
    t.granted("all that a stricter one wants", "strict")
    another = Launcher()
    t.enrol(another)
    t.refused("another builder", ["builder: wanted " + BUILDER], t.evidence(builder=OTHER_BUILDER), "strict")
    t.refused("another executor", ["executor: wanted " + EXECUTOR], t.evidence(executor=OTHER_EXECUTOR), "strict")
    t.refused("paged for secret", ["memory_level: wanted at least secret, found paged"], t.evidence(level="paged"), "strict")
    t.refused("another launcher that is enrolled", ["las: wanted " + t.launcher.key], t.evidence(launcher=another), "strict")
    t.granted("which is good where no launcher is named", launcher=another)
    t.refused("everything wrong at once", ["nonce: wanted", "las: wanted one that is enrolled", "cell: wanted", "builder: wanted",
                                           "memory_level: wanted"],
              Launcher().sign("00" * 32, Executor(), cell=OTHER_CELL, builder=OTHER_BUILDER, level="insecure-none"), "strict")


def session_attacks(t):
    t.put(session("b", {"s": alternative(OTHER_CELL), "t": alternative("46" * 48)}))
    mine, theirs = t.granted("a cell of session a"), t.granted("a cell of session b", "b", cell=OTHER_CELL)
    check(mine["environment"] != theirs["environment"], "each has the secret of its own session")
    t.refused("a's evidence at b", ["cell: wanted " + OTHER_CELL], t.evidence(), "b")
    t.refused("evidence of another service of b", ["cell: wanted " + "46" * 48], t.evidence(cell=OTHER_CELL), "b", "t")
    t.granted("that service's own", "b", "t", cell="46" * 48)
    t.refused("a service that there is not", ["service: wanted one of the session"], t.evidence(), service="x")
    check(t.cas.attest("nowhere", "s", t.evidence()) == (403, sentence("nowhere", "s")), "a session that there is not: the same sentence")
    t.said.append((REFUSED, "session: wanted one that there is"))
    for service in ("x" * 300, "x\u0001y", "x\u007fy", "x\u0085y", "x\u202ey", "x" * 9000, ""):
        known, unknown = (t.cas.attest(name, service, t.evidence()) for name in ("a", "nowhere"))
        known, unknown = ((status, text.replace(f"{name}/", "")[:300]) for (status, text), name in ((known, "a"), (unknown, "nowhere")))
        check(known == unknown and known[0] == 403,
              f"service {service[:6]!r} tells nobody whether a session is there: {known} {unknown}")
        check(t.cas.attest(service, "s", t.evidence())[0] == 403, f"session {service[:6]!r}: refused")
    for i in range(50):
        t.cas.attest("a", f"made-up-{i}", t.evidence())
    kept = [name for i in range(50) if t.cas.reasons("a", name := f"made-up-{i}")]
    check(0 < len(kept) < 10, f"of services that were made up only the refusals of a few are kept: {kept}")
    t.put(session("long", {"s": "".join(alternative(f"[{', '.join([OTHER_CELL] * 20)}]") for _ in range(20))}))
    t.refused("by more than there is room for", ["alternative 1: cell: wanted one of"], t.evidence(), "long")
    check(t.cas.reasons("long", "s")[0].endswith("and more, for which there is no room\n"), "its owner reads that there is more")


def revocation_attacks(t):
    def revoke(kind, what):
        t.done(f"{kind} is revoked", t.cas.ask("POST", "/v1/revocations", {"kind": kind, "what": what, "reason": "test"}, t.cas.owner))
    launchers = Launcher(), Launcher()
    t.refused("a launcher that was never enrolled", ["las: wanted one that is enrolled, found " + launchers[0].key],
              t.evidence(launcher=launchers[0]))
    for launcher in launchers:
        t.enrol(launcher)
        t.granted("once it is enrolled", launcher=launcher)
    t.done("one is removed", t.cas.ask("DELETE", f"/v1/las/{launchers[0].key}", who=t.cas.owner))
    t.refused("a launcher that was removed", ["las: wanted one that is enrolled"], t.evidence(launcher=launchers[0]))
    revoke("las", launchers[1].key)
    t.refused("a launcher that was revoked", [f"las: wanted one that is not revoked, found {launchers[1].key}"],
              t.evidence(launcher=launchers[1]))
    for kind, index in (("cell", 0), ("builder", 1), ("executor", 2)):
        bad = ("a0" * 48, "a1" * 32, "a2" * 48)[index]
        t.put(session(f"no-{kind}", {"s": alternative(f"[{CELL}, {'a0' * 48}]")}))
        t.granted(f"the {kind} before it is revoked", f"no-{kind}", **{kind: bad})
        waiting = t.evidence(**{kind: bad})
        revoke(kind, bad)
        for evidence in (waiting, t.evidence(**{kind: bad})):
            t.refused(f"the {kind}, revoked", [f"{kind}: wanted one that is not revoked, found {bad}"], evidence, f"no-{kind}")
        t.granted(f"another {kind}", f"no-{kind}")


# ---- owners


def owner_attacks(t):
    cas = t.cas
    nobody, other = Credential("nobody"), Credential("other")
    key = {"key": other.hash, "label": "other"}
    t.denied("a key that is no owner's enrols", cas.ask("POST", "/v1/las", {"key": Launcher().key, "label": "x"}, nobody.path),
             [nobody.hash, "enrol a launcher"])
    t.denied("it lets in an owner", cas.ask("POST", "/v1/owners", {"key": nobody.hash, "label": "x"}, nobody.path), ["let in an owner"])
    t.denied("it removes one", cas.ask("DELETE", f"/v1/owners/{nobody.hash}", who=nobody.path), ["remove an owner"])
    t.denied("it revokes", cas.ask("POST", "/v1/revocations", {"kind": "cell", "what": CELL, "reason": "x"}, nobody.path), ["revoke"])
    t.denied("it creates a session", cas.ask("POST", "/v1/sessions", session("mine"), nobody.path))
    t.put(session("clinic", more="namespaces: [wards]\n", access=CREATOR + "  create: CREATOR\n"))
    below = [cas.ask("POST", "/v1/sessions", session(f"{name}/wards/x"), nobody.path) for name in ("clinic", "nowhere")]
    t.denied("it creates a session in a namespace", below[0])
    check(below[0][1]["detail"].replace("clinic", "nowhere") == below[1][1]["detail"], f"and does not learn that there is one: {below}")
    t.put(session("clinic/wards/x"))
    t.denied("the same without a certificate", cas.ask("POST", "/v1/sessions", session("mine")))
    t.denied("another owner before it is let in", cas.ask("POST", "/v1/sessions", session("theirs"), other.path))
    t.done("which it is", cas.ask("POST", "/v1/owners", key, cas.owner))
    theirs = t.put(session("theirs"), other.path)
    strangers_hands(t, nobody, "a key that is no owner's")
    strangers_hands(t, other, "another owner")
    shown = cas.ask("GET", "/v1/sessions/a", who=cas.owner)
    check(shown[0] == 200 and shown[1] == session("a"), "the session's creator reads it as it was put")
    names = {row["name"] for row in cas.ask("GET", "/v1/sessions", who=other.path)[1]["sessions"]}
    check(names == {"theirs"}, f"another owner's list has its own sessions alone: {names}")
    t.denied("a session that names another creator", cas.ask("POST", "/v1/sessions", f"creator: {nobody.hash}\n" + session("mine"), other.path),
             ["another creator"])
    t.done("the other owner is removed", cas.ask("DELETE", f"/v1/owners/{other.hash}", who=cas.owner))
    t.denied("a removed owner creates a session", cas.ask("POST", "/v1/sessions", session("more"), other.path))
    t.denied("it enrols a launcher", cas.ask("POST", "/v1/las", {"key": Launcher().key, "label": "x"}, other.path), ["enrol a launcher"])
    changed = t.put(session("theirs", predecessor=theirs, services={"s": alternative(OTHER_CELL)}), other.path)
    t.done("its key is revoked", cas.ask("POST", "/v1/revocations", {"kind": "owner", "what": other.hash, "reason": "x"}, cas.owner))
    t.denied("a revoked owner updates its own session", cas.ask("POST", "/v1/sessions", session("theirs", predecessor=changed), other.path))
    t.denied("it reads it", cas.ask("GET", "/v1/sessions/theirs", who=other.path))
    t.denied("it lets itself in again", cas.ask("POST", "/v1/owners", key, other.path), ["let in an owner"])
    check(cas.ask("GET", "/v1/sessions", who=other.path)[1]["sessions"] == [], "its list is empty")


def strangers_hands(t, who, what):
    """On session a, which says CREATOR. What is not there is answered in the same words."""
    cas = t.cas
    volume = {"id": "00" * 16, "root": "01" + "00" * 63, "keys": []}
    for act, method, path, body in (
            ("reads it", "GET", "/v1/sessions/{}", None),
            ("updates it", "POST", "/v1/sessions", session("{}", predecessor=t.hash)),
            ("puts it anew", "POST", "/v1/sessions", session("{}")),
            ("deletes it", "DELETE", "/v1/sessions/{}", None),
            ("reads its refusals", "GET", "/v1/sessions/{}/services/s/refusals", None),
            ("hands over a volume of it", "PUT", "/v1/sessions/{}/volumes/v", volume)):
        def ask(name):
            text = body.replace("name: {}", f"name: {name}") if isinstance(body, str) else body
            return cas.ask(method, path.format(name), text, who.path)
        there = ask("a")
        t.denied(f"{what} {act}", there)
        if what.startswith("a key"):
            gone = ask("q")
            check((there[0], there[1]["detail"]) == (gone[0], gone[1]["detail"].replace("session q,", "session a,")),
                  f"{what} does not learn by that whether there is one: {there[1]} {gone[1]}")
    t.granted("and the session is as it was")


def predecessor_attacks(t):
    cas, first = t.cas, t.put(session("p"))
    changed = dict(services={"s": alternative(OTHER_CELL)})
    t.denied("a session that is there, put as a new one", cas.ask("POST", "/v1/sessions", session("p", **changed), cas.owner), [], 409)
    t.denied("a wrong predecessor", cas.ask("POST", "/v1/sessions", session("p", predecessor="ab" * 48, **changed), cas.owner))
    t.denied("one of a session that is not there", cas.ask("POST", "/v1/sessions", session("q", predecessor=first), cas.owner), [], 404)
    second = t.put(session("p", predecessor=first, **changed))
    t.denied("an update that went before: put back", cas.ask("POST", "/v1/sessions", session("p", predecessor=first), cas.owner))
    t.refused("the cell before", ["cell: wanted " + OTHER_CELL], t.evidence(), "p")
    t.granted("the cell of now", "p", cell=OTHER_CELL)
    t.put(session("p", predecessor=second))
    t.granted("the first cell, when its owner says so", "p")


def quorum_attacks(t):
    """One key of k is none: requests with signatures of several are integration/cas_signatures's."""
    other = Credential("second")
    t.done("a second owner", t.cas.ask("POST", "/v1/owners", {"key": other.hash, "label": "second"}, t.cas.owner))
    access = "  update:\n    at_least: %d\n    of: [CREATOR, " + other.hash + ", " + "ab" * 32 + "]\n"
    changed = {"s": alternative(OTHER_CELL)}
    one = t.put(session("one", access=access % 1))
    two = t.put(session("two", access=access % 2))
    for who in (t.cas.owner, other.path):
        t.denied("one key of two that are wanted", t.cas.ask("POST", "/v1/sessions", session("two", changed, predecessor=two), who),
                 ["wants 2 of 3 keys to update it, and 1 of them asks"])
    t.granted("and its cell is as before", "two")
    one = t.put(session("one", changed, predecessor=one, access=access % 1), other.path)
    t.granted("one of three, which is enough: the session is another", "one", cell=OTHER_CELL)
    t.denied("none of the three", t.cas.ask("POST", "/v1/sessions", session("one", predecessor=one), Credential("fourth").path))


# ---- secrets and volumes of others


def import_attacks(t):
    shared = "  - {name: shared, kind: ascii, size: 24%s}\n"
    wanted = "  - {name: theirs, kind: ascii, import: {session: giver, name: shared%s}}\n"

    def taker(name, hash_="", predecessor=None):
        text = session(name, secrets=wanted % hash_, predecessor=predecessor)
        return t.put(text.replace("TOKEN: $$CELLA::token$$", "TOKEN: $$CELLA::theirs$$"))

    taken = taker("taker")
    t.refused("an import from a session that is not there", ["importing from the session giver"], t.evidence(), "taker")
    hash_ = t.put(session("giver", secrets=shared % ""))
    t.refused("what is not exported", ["the session giver does not export the secret shared to taker"], t.evidence(), "taker")
    hash_ = t.put(session("giver", secrets=shared % ", export: [somebody]", predecessor=hash_))
    t.refused("what is exported to another", ["does not export the secret shared to taker"], t.evidence(), "taker")
    hash_ = t.put(session("giver", secrets=shared % f", export: [{{session: taker, session_hash: {'ab' * 48}}}]", predecessor=hash_))
    t.refused("what is exported to another state of it", ["does not export the secret shared to taker"], t.evidence(), "taker")
    hash_ = t.put(session("giver", secrets=shared % f", export: [{{session: taker, session_hash: {taken}}}]", predecessor=hash_))
    value = t.granted("exported to it as it is", "taker")["environment"]
    check(len(value[0]) == len("TOKEN=") + 24, "it is the other's secret")
    taken = taker("taker", f", session_hash: {'ab' * 48}", taken)
    t.refused("imported from another state", ["has another hash than the one that taker names"], t.evidence(), "taker")
    hash_ = t.put(session("giver", secrets=shared % ", export: [taker]", predecessor=hash_))
    taken = taker("taker", f", session_hash: {hash_}", taken)
    check(t.granted("both as they are", "taker")["environment"] == value, "the same secret")
    taker("thief")
    t.refused("a third one", ["does not export the secret shared to thief"], t.evidence(), "thief")


def kind_attacks(t):
    """What an import says of a kind counts for nothing; what the other session says of it may not fit."""
    t.put(session("bytes", secrets="  - {name: shared, kind: binary, value: 410042, export: [text]}\n"))
    text = session("text", secrets="  - {name: theirs, kind: ascii, import: {session: bytes, name: shared}}\n")
    t.put(text.replace("TOKEN: $$CELLA::token$$", "TOKEN: $$CELLA::theirs$$"))
    t.refused("bytes where an argument wants characters", ["session: ", "binary"], t.evidence(), "text")
    t.put(session("hexed", secrets="  - {name: theirs, kind: binary, import: {session: bytes, name: shared}}\n"))
    t.refused("and that one is not exported to it", ["does not export the secret shared to hexed"],
              put_and_sign(t, "hexed"), "hexed")
    t.refused("an executor's key that is none", ["session: the executor's key: "], t.launcher.sign(t.cas.nonce(), NoKey()))
    many = "".join(f"      V{i}: $$CELLA::big$$\n" for i in range(400))
    big = session("big", secrets="  - {name: big, kind: ascii, size: 4096}\n")
    t.put(big.replace("      TOKEN: $$CELLA::token$$\n", many))
    t.refused("more than an executor takes", ["session: ", "bytes"], t.evidence(), "big")
    many = "".join(f"      V{i}: {'$$CELLA::huge$$' * 400}\n" for i in range(40))
    huge = session("huge", secrets="  - {name: huge, kind: ascii, size: 4096}\n")
    t.put(huge.replace("      TOKEN: $$CELLA::token$$\n", many))
    t.refused("more than a grant is made in", ["session: what the service gets does not fit into"], t.evidence(), "huge")


def put_and_sign(t, name):
    status, answer = t.cas.ask("GET", f"/v1/sessions/{name}", who=t.cas.owner)
    check(status == 200, "the session is there")
    before = next(row["hash"] for row in t.cas.ask("GET", "/v1/sessions", who=t.cas.owner)[1]["sessions"] if row["name"] == name)
    t.put(answer.replace('version: "0.1"\n', f'version: "0.1"\npredecessor: {before}\n').replace("::token$$", "::theirs:hex$$"))
    return t.evidence()


def volume_attacks(t):
    volume = "volumes:\n  - {name: v, path: /v}\n"
    cas = t.cas
    for name in ("vol", "vol2"):
        t.put(session(name, more=volume))
    t.refused("a volume that was not handed over", ["the volume v of the session was not handed to the CAS"], t.evidence(), "vol")

    def hand(counter, name="vol", tail="77", **others):
        body = {"id": "07" * 16, "root": counter.to_bytes(8, "little").hex() + tail * 56, "keys": ["0c" * 32], **others}
        return cas.ask("PUT", f"/v1/sessions/{name}/volumes/v", body, cas.owner)
    t.done("commit 5 is handed over", hand(5))
    old = hand(4)
    check(old[0] == 403 and "old copy" in old[1]["detail"], f"denied: an old root: {old}")
    grant = t.granted("the volume as it is", "vol")["volumes"]
    check([(v["root"][:16], v["keys"]) for v in grant] == [("0500000000000000", ["0c" * 32])], f"with commit 5: {grant}")
    t.done("commit 6", hand(6))
    check(t.granted("the volume later", "vol")["volumes"][0]["root"][:16] == "0600000000000000", "with commit 6")
    for what, others in {"five keys": {"keys": ["0c" * 32] * 5}, "a short root": {"root": "00"}, "a short id": {"id": "00" * 15},
                         "a key that is none": {"keys": [7]}, "one more member": {"more": 1}}.items():
        t.denied(what, hand(7, **others), [], 400)
    stolen_id = {"id": "07" * 16, "root": "ff" * 64, "keys": ["0d" * 32]}
    t.denied("its id in another session, with a later root", cas.ask("PUT", "/v1/sessions/vol2/volumes/v", stolen_id, cas.owner),
             ["the volume was handed over to another session, with other keys"])
    t.denied("a volume that the session has not", cas.ask("PUT", "/v1/sessions/a/volumes/v", {
        "id": "07" * 16, "root": "07" + "00" * 63, "keys": []}, cas.owner), [], 404)
    check(t.granted("the volume after all that", "vol")["volumes"][0]["root"][:16] == "0600000000000000", "still with commit 6")


def keeper_attacks(t):
    """Questions about volumes are an executor's that was granted the service: nobody else can make one, or learns
    from the answer what there is. What an executor asks is integration/cas_volumes'."""
    cas, to = t.cas, Executor()
    evidence = t.evidence(to=to)
    check(cas.attest("vol", "s", evidence)[0] == 200, "accepted: an executor with a volume")

    def size():
        return cas.ask("GET", "/v1/status")[1]["head"]["number"]

    def ask(path, name, service, token, **more):
        return cas.ask("POST", path, {"session": name, "service": service, "evidence": token, **more})
    before, answers = size(), {}
    for name, service, token in (("vol", "s", evidence), ("vol", "none", evidence), ("nowhere", "s", evidence), ("vol", "s", t.evidence()),
                                 ("vol", "s", t.evidence(cell=OTHER_CELL)), ("vol", "s", "none"), ("vol", "s", t.evidence(nonce="00" * 32))):
        for question in ("", "AA", encoded(os.urandom(72)), encoded(os.urandom(200)), encoded(b"CSO1\x01\x00" + bytes(194))):
            status, answer = ask("/v1/keeper", name, service, token, question=question)
            answers.setdefault(question, set()).add((status, answer.get("detail")))
    wrong = [a for a in answers.values() if len(a) != 1 or not 400 <= next(iter(a))[0] < 500]
    check(not wrong, f"a question that no executor has sealed is refused in the same words, whatever there is: {wrong}")
    check(size() == before, "and the log says nothing of it")
    check(ask("/v1/keeper/renewal", "vol", "s", evidence)[0] == 204, "who has its evidence renews its leases, of which it has none")
    for name, service, token in (("nowhere", "s", evidence), ("vol", "none", evidence), ("vol", "s", t.evidence(cell=OTHER_CELL))):
        answer = ask("/v1/keeper/renewal", name, service, token)
        check((answer[0], answer[1]["detail"]) == (403, sentence(name, service)), f"others do not: {name} {service} {answer[0]}")


def crossing_attacks(t):
    """Whoever carries the questions of executors repeats them, changes them, and gives one's to another."""
    cas = t.cas
    keepers = {}
    for name, number in (("cross", "a1"), ("cross2", "a2")):
        t.put(session(name, more="volumes:\n  - {name: v, path: /v, access: rw}\n"))
        body = {"id": number * 16, "root": (5).to_bytes(8, "little").hex() + number * 56, "keys": [number * 32]}
        t.done(f"a volume of {name}", cas.ask("PUT", f"/v1/sessions/{name}/volumes/v", body, cas.owner))
        to = Executor()
        evidence = t.evidence(to=to)
        status, grant = cas.attest(name, "s", evidence)
        check(status == 200, f"accepted: an executor of {name}")
        keepers[name] = Keeper(cas, name, evidence, to.open(grant))
    one, two = keepers["cross"], keepers["cross2"]
    root = (5).to_bytes(8, "little").hex() + "a1" * 56
    later = (6).to_bytes(8, "little").hex() + "b1" * 56
    check(one.ask("get")[2] == root, "it reads its root")
    question, number = one.seal("acquire")
    status, answer = one.send(question)
    token = one.open(answer, number)[1]
    check(status == 200 and token > 0, "it has the lease")
    check(one.open(answer, number + 1) is None and two.open(answer, number) is None, "its answer is none to another question, nor another's")
    check(one.send(question)[0] == 403, "the question sent again is refused: no later token fences it off")
    check(one.ask("swap", token, root, later)[0] == 0, "it commits")
    check(one.ask("get")[2] == later, "and its root is the later one")

    check(two.send(one.seal("get")[0])[0] == 403, "one's question with another's evidence is refused")
    check(one.send(one.seal("get")[0], name="cross2")[0] == 403, "for another session, too")
    changed = bytearray(base64.urlsafe_b64decode(one.seal("get")[0] + "=="))
    changed[-20] ^= 1
    check(one.send(base64.urlsafe_b64encode(changed).decode().rstrip("="))[0] == 403, "one that was changed, too")
    status = two.ask("get", volume=one.volume)
    check(status[0] == 403 and "none of the service's" in status[3], f"another session's volume is none of its own: {status}")
    check(two.ask("swap", token, later, root, volume=one.volume)[0] == 403, "and takes no root from it")
    check(two.ask("acquire")[0] == 0 and one.ask("get")[2] == later, "each has its own volume")

    to = Executor()
    evidence = t.evidence(to=to)
    third = Keeper(cas, "cross", evidence, to.open(cas.attest("cross", "s", evidence)[1]))
    error = third.ask("acquire")
    check(error[0] < 0 and "cross/s" in error[3], f"a second writer is told who has the lease: {error[3]}")
    check(third.ask("swap", token, later, root)[0] < 0 and one.ask("get")[2] == later, "the other's token is of no use to it")
    check(one.ask("release", token)[0] == 0 and third.ask("acquire")[0] == 0, "once that is given up it has it")
    check(one.ask("swap", token, later, root)[0] < 0 and one.ask("get")[2] == later, "the first one's token is too old to take anything back")

    # What was refused did nothing, so it may be asked again when the reason is gone; once more then as any other.
    question, number = third.seal("get")
    t.done("the launcher is removed", cas.ask("DELETE", f"/v1/las/{t.launcher.key}", None, cas.owner))
    check(third.send(question)[0] == 403, "of a launcher that is not enrolled a question is refused")
    t.enrol(t.launcher)
    status, answer = third.send(question)
    check(status == 200 and third.open(answer, number)[2] == later, "enrolled again, the same question is answered")
    check(third.send(question)[0] == 403, "and refused when it is sent a second time")


# ---- what is sent


def last_question_attacks(t):
    """Whoever carries questions has one more of each executor that writes, to be asked when it has ended: that it gives its
    lease up. He changes it, gives it to another's CAS, asks it too early, again, and once more when the CAS has forgotten."""
    last = 1 << 63  # owner_last_number
    cas = t.cas
    t.put(session("last", more="volumes:\n  - {name: v, path: /v, access: rw}\n"))
    roots = [(number).to_bytes(8, "little").hex() + f"c{number}" * 56 for number in range(4)]
    t.done("a volume", cas.ask("PUT", "/v1/sessions/last/volumes/v", {"id": "c0" * 16, "root": roots[1], "keys": ["c0" * 32]}, cas.owner))

    def keeper():
        to = Executor()
        evidence = t.evidence(to=to)
        return Keeper(cas, "last", evidence, to.open(cas.attest("last", "s", evidence)[1])), f"last/s {to.public[:16]}"

    def holder():
        return cas.ask("GET", "/v1/sessions/last/volumes/v", who=cas.owner)[1]["holder"]
    (one, its), (other, _) = keeper(), keeper()
    token = one.ask("acquire")[1]
    number = one.number
    left, _ = one.seal("release", token, number=last)
    held, _ = one.seal("swap", token, roots[2], roots[3], number=number + 1)
    changed = bytearray(base64.urlsafe_b64decode(left + "=="))
    changed[-20] ^= 1
    check(one.send(base64.urlsafe_b64encode(changed).decode().rstrip("="))[0] == 403, "a last question that was changed is refused")
    check(one.send(left, evidence=other.evidence)[0] == 403, "with another's evidence, too")
    forged, _ = other.seal("release", token, number=last)
    status, answer = other.send(forged)
    check(status == 200 and other.open(answer, last)[0] == 0 and holder() == its, "another's gives up nothing of this one's")
    check(one.ask("swap", token, roots[1], roots[2], number=number)[0] == 0, "while it is left there its executor commits")

    status, answer = one.send(left)
    check(status == 200 and one.open(answer, last)[0] == 0 and holder() == "", f"asked, it gives the lease up: {holder()!r}")
    check(one.send(held)[0] == 403, "a commit that was kept back is refused behind it")
    check(one.ask("get", number=number + 2)[0] == 403, "and all else that its executor asks")
    cas.kill()
    cas.start()
    status, answer = one.send(held)
    check(status == 200 and one.open(answer, number + 1)[0] < 0 and holder() == "", "by a CAS that was started anew, too: the lease was given back")
    check(one.send(left)[0] == 200 and holder() == "", "which a last question asked again does not change")
    third, thirds = keeper()
    check(third.ask("get")[2] == roots[2], "nothing was committed by it")
    error, token, _, text = third.ask("acquire")
    check(error == 0, f"the next one has the lease at once: {text}")
    check(one.send(left)[0] == 403, "asked again it is refused")
    cas.kill()
    cas.start()
    status, answer = one.send(held)
    check(status == 200 and one.open(answer, number + 1)[0] < 0, "a CAS that was started anew has forgotten it, but the token is too old for a commit")
    status, answer = one.send(left)
    check(status == 200 and one.open(answer, last)[0] == 0 and holder() == thirds, f"and for the lease, which stays where it is: {holder()!r}")
    check(third.ask("get")[2] == roots[2], "nothing was committed by it")
    check(third.ask("swap", token, roots[2], roots[3])[0] == 0, "who has the lease commits")


def broken_bodies():
    good = {"session": "a", "service": "s", "evidence": "x"}
    text = json.dumps(good).encode()
    yield "nothing", b""
    yield "half of one", text[:-1]
    yield "no object", b"null"
    yield "a list", b"[" + text + b"]"
    yield "a text", b'"a"'
    yield "two of them", text + text
    yield "a member twice", text[:-1] + b', "session": "a"}'
    yield "one more member", json.dumps({**good, "more": "x"}).encode()
    for name in good:
        yield f"without {name}", json.dumps({k: v for k, v in good.items() if k != name}).encode()
        for wrong in (None, 1, 1.5, True, [], {}, ["a"]):
            yield f"{name} is {wrong}", json.dumps({**good, name: wrong}).encode()
    yield "deep lists", b"[" * 16000
    yield "deep objects", b'{"session":' * 1400
    yield "a deep member", json.dumps(good).encode()[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield "more than is taken", b" " * 20000 + text
    yield "zero bytes", text.replace(b'"a"', b'"a\0b"')
    yield "zero bytes, escaped", text.replace(b'"a"', b'"a\\u0000b"')
    yield "no UTF-8", text.replace(b'"a"', b'"\xff\xfe"')
    yield "half a surrogate", text.replace(b'"a"', b'"\\ud800"')
    yield "an overlong character", text.replace(b'"a"', b'"\xc0\xae"')
    yield "a byte order mark", b"\xef\xbb\xbf" + text
    yield "a number without end", text[:-1] + b', "n": 1' + b"0" * 5000 + b"}"
    yield "not a number", text.replace(b'"a"', b"NaN")


ROUTES = (("POST", "/v1/attest"), ("POST", "/v1/keeper"), ("POST", "/v1/keeper/renewal"), ("POST", "/v1/sessions"), ("POST", "/v1/las"), ("POST", "/v1/owners"), ("POST", "/v1/revocations"),
          ("PUT", "/v1/sessions/vol/volumes/v"))


def body_attacks(t):
    for method, path in ROUTES:
        answers = {what: t.cas.ask(method, path, body, t.cas.owner)[0] for what, body in broken_bodies()}
        bad = {what: status for what, status in answers.items() if not 400 <= status < 500 or status == 409}
        check(not bad, f"{path}: each of {len(answers)} malformed bodies is refused by 4xx; not so: {bad}")
    for path in ("/v1/sessions/%00", "/v1/sessions/%ff", "/v1/sessions/..%2f..", "/v1/las/zz", "/v1/owners/", "/v1/las/" + "00" * 31,
                 "/v1/sessions/" + "x" * 4000, "/v1/sessions/a/services/" + "y" * 300 + "/refusals", "/v1/nothing", "/v1/sessions/a?x=%zz"):
        for method in ("GET", "DELETE", "POST"):
            status = t.cas.ask(method, path, None, t.cas.owner)[0]
            check(400 <= status < 500 or status == 200 and path.endswith("refusals"), f"{method} {path[:40]}: {status}")
    for bad in ("", "-1", "x", "1x", "0x1", "9" * 16, "1&entry=2"):
        check(t.cas.ask("GET", f"/v1/status?entry={bad}")[0] == 400, f"entry={bad} is no number of an entry")
    head = t.cas.ask("GET", "/v1/status")[1]["head"]
    told = t.cas.ask("GET", f"/v1/status?entry={head['number']}")[1]["entry"]
    check(told["hash"] == head["hash"], "the last entry's hash is the head's")
    check("entry" not in t.cas.ask("GET", "/v1/status?entry=999999999999999")[1], "and one that there is not has none")
    t.granted("a well-formed request, after all of them")


LATER = b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HIDDEN = b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"  # its answer has a log_key


def broken_requests():
    def post(*lines, body=b"{}"):
        return b"\r\n".join([b"POST /v1/attest HTTP/1.1", b"Host: a", *lines, b"", body])
    size = b"Content-Length: %d"
    yield "no length", post(body=b"")
    yield "two lengths", post(size % 2, size % len(HIDDEN), body=HIDDEN)
    yield "the same length twice", post(size % len(HIDDEN), size % len(HIDDEN), body=HIDDEN)
    yield "a list of lengths", post(b"Content-Length: 2, 2")
    yield "chunks", post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN)
    yield "chunks and a length", post(b"Transfer-Encoding: chunked", size % 5, body=b"0\r\n\r\n" + HIDDEN)
    yield "a length and chunks", post(size % (5 + len(HIDDEN)), b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN)
    yield "chunks by another name", post(b"Transfer-Encoding : chunked", size % 2, body=b"{}" + b"")
    yield "an encoding that there is not", post(b"Transfer-Encoding: xchunked", size % 2)
    for bad in (b"-1", b"+2", b"0x2", b"2 2", b"", b"two", b"18446744073709551618", b"9" * 30, b"2\0"):
        yield f"length {bad!r}", post(b"Content-Length: " + bad)
    yield "a body that is too long for its route", post(size % (1 << 30), body=b"")
    yield "a folded header", post(size % 2, b"X: y", b" Content-Length: 40")
    yield "a space before the colon", post(b"Content-Length : 2")
    yield "ends of lines without CR", post(size % 2).replace(b"\r\n", b"\n")
    yield "a CR inside", post(b"X: a\rContent-Length: 2", size % 2)
    yield "two hosts", post(b"Host: b", size % 2)
    yield "no host", post(size % 2).replace(b"Host: a\r\n", b"")
    yield "HTTP/1.0", post(size % 2).replace(b"HTTP/1.1", b"HTTP/1.0")
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "a whole address", post(size % 2).replace(b"/v1/attest", b"https://a/v1/attest")
    yield "a head without end", b"GET /v1/status HTTP/1.1\r\nHost: a\r\n" + b"X: yyyyyyyyyyyyyyyyyyyy\r\n" * 3000
    yield "no HTTP", os.urandom(64).replace(b"\n", b"x") + b"\r\n\r\n"


def hear(cas, request):
    """All that comes back, to the end."""
    link = cas.connect()
    got = b""
    try:
        link.sock.sendall(request)
        while part := link.sock.recv(65536):
            got += part
    except OSError:
        pass
    link.close()
    return got


def wire_attacks(t):
    body = json.dumps({"session": "a", "service": "s", "evidence": "x"}).encode()
    whole = b"POST /v1/attest HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    good = hear(t.cas, whole + LATER)
    check(good.startswith(b"HTTP/1.1 403 ") and b"HTTP/1.1 200 " in good, "control: two whole requests have two answers")
    check(b"log_key" in hear(t.cas, HIDDEN + LATER), "control: the hidden request in the open has its answer")
    for what, request in broken_requests():
        answer = hear(t.cas, request + LATER)
        refused = answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
        check(refused and b"log_key" not in answer, f"{what}: {answer[:30]!r}, and nothing hidden is answered")
    link = t.cas.connect()
    link.sock.sendall(whole.replace(b"Content-Length: ", b"Content-Length: 1"))
    link.close()
    t.granted("a well-formed request, after a body that never came")


# ---- connections


def handshake_fails(cas, context):
    """Of TLS 1.3 the client learns at its first answer that its certificate was refused."""
    try:
        link = cas.connect(context=context)
    except (ssl.SSLError, ConnectionError) as error:
        return str(error)
    try:
        return "" if cas.ask("GET", "/v1/sessions", link=link)[0] == 200 else "answered otherwise"
    except (OSError, ValueError) as error:
        return str(error) or "closed"
    finally:
        link.close()


def certificate_attacks(t):
    cas = t.cas
    error = handshake_fails(cas, cas.context(cas.owner, ssl.TLSVersion.TLSv1_2))
    check("VERSION" in error.upper(), f"refused: TLS 1.2: {error}")
    check(handshake_fails(cas, cas.context(cas.owner)) == "", "accepted: TLS 1.3")
    for name, begin, end in (("expired", -172800, -86400), ("not-yet", 86400, 172800), ("good", -60, 3600)):
        credential = Credential(name, begin, end)
        t.done(f"the owner with a certificate {name} is let in",
               cas.ask("POST", "/v1/owners", {"key": credential.hash, "label": name}, cas.owner))
        error = handshake_fails(cas, cas.context(credential.path))
        check(bool(error) == (name != "good"), f"a certificate {name}: {error or 'accepted'}")
    scalar = scalar_of(Path(cas.owner).read_text(encoding="ascii"))
    check(handshake_fails(cas, cas.context(stolen("rebuilt", cas.owner, scalar))) == "", "control: the owner's certificate with its key, rebuilt")
    thief = scalar_of(Path(Credential("thief").path).read_text(encoding="ascii"))
    error = handshake_fails(cas, cas.context(stolen("stolen", cas.owner, thief)))
    check(error, f"refused: the owner's certificate with another key: {error}")
    pin = cas.pin
    cas.pin = "00" * 32
    try:
        cas.connect()
        check(False, "the client takes another key than the pinned one")
    except WrongKey:
        check(True, "the client takes no other key than the pinned one")
    cas.pin = pin


# ---- what is kept


def cella(*words):
    return subprocess.run([CELLA, *map(str, words)], capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)


def restart_attacks(t):
    evidence = t.evidence()
    check(t.cas.stop() == 0, "the CAS ends in order")
    t.cas.start()
    t.refused("evidence from before a restart", ["nonce: wanted one of this CAS since it was started"], evidence)
    t.granted("evidence from after it")


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def sql(statement):
    def act(directory):
        database = sqlite3.connect(directory / "cas.db", isolation_level=None)
        database.create_function("flipped", 1, lambda body: body[:-1] + bytes([body[-1] ^ 1]))
        check(database.execute(statement).rowcount > 0, f"done: {statement}")
        database.close()
    return act


EDITS = {
    "a record changed": (sql("UPDATE record SET body = flipped(body) WHERE kind = 1"), ["record"]),
    "a session removed": (sql("DELETE FROM record WHERE kind = 1"), ["records"]),
    "an owner added": (sql("INSERT INTO record SELECT kind, zeroblob(32), body FROM record WHERE kind = 4 LIMIT 1"), ["record"]),
    "two secrets exchanged": (sql("UPDATE record SET body = (SELECT body FROM record WHERE kind = 2 ORDER BY id DESC LIMIT 1) WHERE kind = 2"),
                              ["record"]),
    "the last entry of the log changed": (sql("UPDATE log SET entry = flipped(entry) WHERE number = (SELECT max(number) FROM log)"), ["entry"]),
    "the last entry of the log removed": (sql("DELETE FROM log WHERE number = (SELECT max(number) FROM log)"), ["audit log's end"]),
    "the vault changed": (lambda d: flip(d / "vault", -1), ["vault"]),
    "the head changed": (lambda d: flip(d / "head", 40), ["head"]),
    "an old database": (lambda d: shutil.copy(SCRATCH / "old/cas.db", d / "cas.db"), ["head", "not in the audit log"]),
    "the database cut": (lambda d: os.truncate(d / "cas.db", 8192), ["cas.db"]),
}


def disk_attacks(t):
    """Refused at the start, by name; a part that is older than the rest as well."""
    cas = t.cas
    here, old, new = cas.directory, SCRATCH / "old", SCRATCH / "new"
    check(cas.stop() == 0, "the CAS ends in order")
    shutil.copytree(here, old)
    cas.start()
    os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
    known = cella("cas", "attest", f"https://127.0.0.1:{cas.port}", "--pin", cas.pin, "--credential", cas.owner, "--name", "here")
    check(known.returncode == 0, f"a client knows it: {known.stderr}")
    t.put(session("later"))
    check(cella("cas", "status").returncode == 0, "the client sees the CAS's head")
    cas.stop()
    shutil.copytree(here, new)
    for what, (edit, words) in EDITS.items():
        shutil.rmtree(here)
        shutil.copytree(new, here)
        edit(here)
        done = cella("cas", "--dir", here, "--listen", "127.0.0.1:0", *MEMORY)
        check(done.returncode == 1 and all(word in done.stderr for word in words), f"refused at the start: {what}: {done.stderr.strip()[-300:]}")
    put_back(t, old, new)


def put_back(t, old, new):
    cas, contexts = t.cas, SCRATCH / "contexts.json"
    for place, accepted in ((new, True), (old, False), (new, True)):
        shutil.rmtree(cas.directory)
        shutil.copytree(place, cas.directory)
        cas.start()
        text = json.loads(contexts.read_text(encoding="ascii"))
        text["contexts"]["here"]["url"] = f"https://127.0.0.1:{cas.port}"
        contexts.write_text(json.dumps(text), encoding="ascii")
        done = cella("cas", "status")
        if accepted:
            check(done.returncode == 0, f"accepted: the CAS as it was left: {done.stderr}")
        else:
            check(done.returncode == 1 and "older" in done.stderr, f"an old copy of all of it, by what the client remembers: {done.stderr.strip()}")
            for i in range(12):
                status = cas.ask("POST", "/v1/sessions", session(f"since-{i}"), cas.owner)[0]
                check(status == 201, "it goes on, beyond where the other one was")
            done = cella("cas", "status")
            check(done.returncode == 1 and "gone on" in done.stderr, f"which the client notices as well: {done.stderr.strip()}")
            check(cas.reasons("later", "s") == [] and cas.ask("GET", "/v1/sessions/later", who=cas.owner)[0] == 404,
                  "control: the copy itself starts, and has not what came later")
        cas.stop()


def flood(t):
    """From one address, by requests whose every word is new: the log grows by a bounded number of entries."""
    def size():
        return t.cas.ask("GET", "/v1/status")[1]["head"]["number"]
    t.cas.start()
    before, count = size(), 1500
    for i in range(count):
        status = t.cas.attest(f"made-up-{os.urandom(8).hex()}", "s", "none")[0]
        if status != 403:
            check(False, f"the {i}th refusal answers {status}")
            break
    grown = size() - before
    check(256 <= grown < 256 + 30, f"{count} refusals make {grown} entries")
    t.granted("evidence of somebody else, meanwhile")
    check(t.cas.stop() == 0, "the CAS ends in order")
    again = sum(what.get("again", 0) for kind, _, what in t.cas.log() if kind == REFUSED)
    check(grown + again >= count, f"and says at its end how many came besides: {again}")


def check_log(t):
    done = t.cas.audit(*MEMORY)
    check(done.returncode == 0 and "the audit log holds" in done.stdout, f"the audit log holds: {done.stdout}{done.stderr}")
    entries = [(kind, json.dumps(what)) for kind, _, what in t.cas.log()]
    missing = {(kind, words) for kind, words in t.said if not any(kind == k and words in text for k, text in entries)}
    check(not missing, f"the audit log has all {len(set(t.said))} reasons; missing: {missing}")


def main():
    with Cas("cas", *MEMORY) as cas, Cas("elsewhere", *MEMORY) as elsewhere:
        t = Target(cas)
        evidence_attacks(t, Target(elsewhere))
        elsewhere.stop()
        for attack in (token_attacks, claims_attacks, session_attacks, revocation_attacks, restart_attacks, owner_attacks, predecessor_attacks, quorum_attacks,
                       import_attacks, kind_attacks, volume_attacks, keeper_attacks, crossing_attacks, last_question_attacks, body_attacks, wire_attacks, certificate_attacks,
                       disk_attacks, flood, check_log):
            attack(t)
        check("error" not in cas.output[1], f"the CAS logs no failure of its own: {cas.output[1][-500:]}")
    finish()


main()
