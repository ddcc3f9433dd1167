#!/usr/bin/env python3
# as: root
"""Does a CAS show the entries of its audit log to who may see them, each their own: an owner those of its sessions, its
operator all, and nobody those of another's session or of an earlier one of the same name?"""

import json
import os
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import Cas, Credential, Executor, Launcher, alternative, cella, good, kit, refused, session, use
from celljob import SCRATCH, USAGE, check, finish, needs_secret

needs_secret()
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
ANYBODY = "  read: ANY\n  update: CREATOR\n"


def listed(what, *words):
    return json.loads(good(what, cella("cas", "audit", "--list", "--json", *words)))


def sessions_of(entries):
    return {entry["what"].get("session") for entry in entries}


def kinds_of(entries, name=None):
    return [entry["kind"] for entry in entries if name is None or entry["what"].get("session") == name]


def put(cas, who, text):
    status, answer = cas.ask("POST", "/v1/sessions", text, who)
    check(status == 201, f"put: {status} {answer}")
    return answer.get("hash")


def stopped(*words):
    return cella("cas", "audit", "--list", "--dir", SCRATCH / "cas", *words)


with Cas() as cas:
    bea, stranger = Credential("bea"), Credential("stranger")
    status, answer = cas.ask("POST", "/v1/owners", {"key": bea.hash, "label": "Bea"}, cas.owner)
    check(status == 204, f"a second owner: {status} {answer}")
    put(cas, cas.owner, session("mine"))
    put(cas, bea.path, session("theirs"))
    put(cas, cas.owner, session("shared", access=ANYBODY))
    launcher, executor = Launcher(), Executor()
    cas.ask("POST", "/v1/las", {"key": launcher.key, "label": "node"}, cas.owner)
    for name in ("mine", "theirs"):
        good_one = launcher.sign(cas.nonce(), Executor())
        check(cas.attest(name, "s", good_one)[0] == 200, f"{name} is granted")
        check(cas.attest(name, "s", good_one)[0] == 403, "and refused to the same again")
    check(cas.attest("nobody's", "s", launcher.sign(cas.nonce(), executor))[0] == 403, "a session that is not there is refused")
    check(cas.ask("DELETE", "/v1/sessions/theirs", who=cas.owner)[0] == 403, "an owner is denied another one's session")

    use(cas)
    by_first = listed("the first owner's list")
    check(sessions_of(by_first) == {None, "mine", "shared"}, f"the first owner sees its sessions: {sessions_of(by_first)}")
    check(kinds_of(by_first, "mine") == ["session-created", "provisioned", "refused"], f"what was done with one: {kinds_of(by_first, 'mine')}")
    check({"created", "owner-added", "las-enrolled"} <= set(kinds_of(by_first)), "and owners and launchers")
    check([entry["number"] for entry in by_first] == sorted({entry["number"] for entry in by_first}), "in their order")
    use(cas, bea.path)
    by_bea = listed("the second owner's list")
    check(sessions_of(by_bea) == {None, "theirs", "shared"}, f"the second one hers: {sessions_of(by_bea)}")
    check("denied" in kinds_of(by_bea, "theirs"), "who was denied her session is shown to her")
    text = good("as lines", cella("cas", "audit", "--list"))
    check(len(text.splitlines()) == len(by_bea) and "  provisioned  " in text and "session theirs" in text, "lines say the same")
    check("  verdict accepted by alternative 1 of 1" in text, f"and which alternative held: {text[-600:]}")
    check(listed("one session", "--session", "theirs") == [entry for entry in by_bea if entry["what"].get("session") == "theirs"],
          "one session's entries alone")
    refused("another's session", cella("cas", "audit", "--list", "--session", "mine"), ["403", "read"])
    refused("one that is not there", cella("cas", "audit", "--list", "--session", "nobody's"), ["404"])
    check(listed("since tomorrow", "--since", "2999-01-01") == [] and listed("since long ago", "--since", "2001-01-01") == by_bea,
          "since a time")
    refused("what is no time", cella("cas", "audit", "--list", "--since", "noon"), ["--since: noon is no time"], USAGE)
    refused("a session without --list", cella("cas", "audit", "--session", "theirs"), ["audit --list"], USAGE)
    use(cas, stranger.path)
    check(sessions_of(listed("a stranger's list")) == {"shared"}, "a stranger sees what all may read, and nothing of owners")
    check(cas.ask("GET", "/v1/audit")[0] == 403, "without a certificate nothing is shown")
    for wrong in ("from=x", "from=", "since=-1", "since=1e3"):
        check(cas.ask("GET", f"/v1/audit?{wrong}", who=cas.owner)[0] == 400, f"{wrong} is refused")

    # the same name again is another session
    check(cas.ask("DELETE", "/v1/sessions/mine", who=cas.owner)[0] == 204, "delete")
    use(cas)
    check("mine" not in sessions_of(listed("after it is gone")), "what is gone is shown to nobody,")
    put(cas, bea.path, session("mine"))
    use(cas, bea.path)
    check(kinds_of(listed("a new one of that name"), "mine") == ["session-created"], "nor to the owner of a later one of its name")

    refused("at the CAS's own machine while it runs", stopped(), ["another process"])
    check(cas.stop() == 0, "the CAS ends in order")
    everything = json.loads(good("its operator's list", stopped("--json")))
    check(sessions_of(everything) == {None, "mine", "theirs", "shared", "nobody's"}, f"its operator sees all: {sessions_of(everything)}")
    check([entry["number"] for entry in everything] == list(range(1, len(everything) + 1)), "every entry")
    check(len(good("as lines", stopped()).splitlines()) == len(everything), "also as lines")
    check(sessions_of(json.loads(good("one", stopped("--json", "--session", "theirs")))) == {"theirs"}, "one session")
    check(json.loads(good("none", stopped("--json", "--since", "2999-01-01"))) == [], "since a time")
    refused("two things", stopped("--verify"), ["--verify or --list"], USAGE)
    database = sqlite3.connect(SCRATCH / "cas/cas.db", isolation_level=None)
    database.create_function("renamed", 1, lambda entry: entry.replace(b"shared", b"shored"))
    changed = database.execute("UPDATE log SET entry = renamed(entry) WHERE entry != renamed(entry)").rowcount
    check(changed == 1, f"an entry is edited: {changed}")
    database.close()
    done = stopped()
    check(done.returncode == 1 and done.stdout == "", f"of a log that was changed nothing is listed: {done.stderr.strip()}")
finish()
