#!/usr/bin/env python3
# as: root
"""Does a session whose access_policy wants several keys change only when so many have signed: not for k-1 of k, the
same one twice, one that was revoked, or a signature under another session, state, action or CAS?"""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import DENIED, Cas, cella, good, refused, use
from celljob import SCRATCH, USAGE, check, finish, needs_secret

needs_secret()
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
NUMBERS = itertools.count()
PEOPLE = ("ann", "bea", "cem")
POLICY = "access_policy:\n  read: {read}\n  update:\n    at_least: 2\n    of: [{keys}]\n"


def become(cas, who):
    use(cas, cas.owner if who == "owner" else SCRATCH / f"{who}.pem")


def text(word, predecessor=None, name="joint", read="ANY"):
    more = f"predecessor: {predecessor}\n" if predecessor else ""
    path = SCRATCH / f"{name.replace('/', '-')}-{word}.yml"
    path.write_text(f'name: {name}\nversion: "0.1"\n{more}services:\n  - name: s\n    command: [{word}]\n    attestation:\n      - cell: {"44" * 48}\n'
                    + POLICY.format(read=read, keys=", ".join(keys.values())), encoding="ascii")
    return path


def sign(cas, who, *words, verb="sign"):
    """A file with that person's signature."""
    become(cas, who)
    path = SCRATCH / f"{who}.{next(NUMBERS)}.signature"
    path.write_text(good(f"{who} signs", cella("session", verb, *words)), encoding="ascii")
    return path


def put(cas, who, path, *signatures):
    become(cas, who)
    return cella("session", "create", "--json", path, *(word for one in signatures for word in ("--signature", one)))


def hash_of(path):
    return good("hash", cella("session", "calculate-hash", path)).strip()


with Cas() as cas:
    become(cas, "owner")
    keys = {who: good("credential", cella("cas", "credential", SCRATCH / f"{who}.pem")).strip() for who in PEOPLE}
    for who in PEOPLE:
        good("an owner", cella("cas", "add-owner", keys[who], "--label", who))
    first = text("one")
    good("the first state needs an owner alone", put(cas, "ann", first))
    second = text("two", hash_of(first))
    refused("one of two", put(cas, "ann", second), ["wants 2 of 3 keys", keys["bea"]])
    by_ann, by_bea = sign(cas, "ann", second), sign(cas, "bea", second)
    refused("the same one twice", put(cas, "ann", second, by_ann), ["wants 2 of 3 keys"])
    refused("two who are not named, and one who is", put(cas, "owner", second, by_ann), ["wants 2 of 3 keys"])
    other = text("else", hash_of(first))
    refused("a signature under another text", put(cas, "ann", other, by_bea), ["signature 1", "does not hold"])
    bent, right = SCRATCH / "bent.signature", by_bea.read_text(encoding="ascii").strip()
    bent.write_text(right[:-9] + ("A" if right[-9] != "A" else "B") + right[-8:], encoding="ascii")
    refused("a bent one", put(cas, "ann", second, bent), ["signature 1"])
    bent.write_text("no signature", encoding="ascii")
    refused("what is none", put(cas, "ann", second, bent), ["holds no signature"], USAGE)
    good("two of three", put(cas, "ann", second, by_bea))
    refused("the same change again", put(cas, "ann", second, by_bea), ["predecessor"])
    third = text("three", hash_of(second))
    by_bea, by_cem = sign(cas, "bea", third), sign(cas, "cem", third)
    good("one who is not named carries two signatures", put(cas, "owner", third, by_bea, by_cem))

    # deleting, by state
    now = hash_of(third)
    become(cas, "ann")
    refused("one deletes", cella("session", "delete", "joint"), ["wants 2 of 3 keys"])
    stale = sign(cas, "bea", "joint", "--for", "delete", "--hash", hash_of(second))
    become(cas, "ann")
    refused("by a signature under an older state", cella("session", "delete", "joint", "--signature", stale), ["does not hold"])
    wrong = sign(cas, "bea", "joint", "--for", "read", "--hash", now)
    become(cas, "ann")
    refused("by one for something else", cella("session", "delete", "joint", "--signature", wrong), ["does not hold"])
    refused("no such action", cella("session", "sign", "joint", "--for", "drop", "--hash", now), ["put, read, delete or take-over"], USAGE)
    by_bea = sign(cas, "bea", "joint", "--for", "delete", "--hash", now)
    become(cas, "owner")
    good("bea is revoked", cella("cas", "revoke", "owner", keys["bea"]))
    become(cas, "ann")
    refused("a signature of one who was revoked", cella("session", "delete", "joint", "--signature", by_bea), ["wants 2 of 3 keys"])
    by_cem = sign(cas, "cem", "joint", "--for", "delete", "--hash", now)
    become(cas, "ann")
    good("two delete", cella("session", "delete", "joint", "--signature", by_cem))

    # handing a volume over
    good("a volume", cella("volume", "create", "-q", SCRATCH / "v"))
    (SCRATCH / "files").mkdir()
    (SCRATCH / "files/x").write_text("x", encoding="ascii")
    shutil.copytree(SCRATCH / "v", SCRATCH / "w")
    shutil.copy(SCRATCH / "v.key", SCRATCH / "w.key")
    shutil.copy(SCRATCH / "v.root", SCRATCH / "w.root")
    for read in ("ANY", "\n    at_least: 2\n    of: [{keys}]".format(keys=", ".join(keys[who] for who in ("ann", "cem")))):
        name = "vault" if read == "ANY" else "hidden"
        path = text("volume", name=name, read=read)
        path.write_text(path.read_text(encoding="ascii").replace("services:", "volumes:\n  - {name: data, path: /data}\nservices:"), encoding="ascii")
        good("create", put(cas, "ann", path))
        said = ("--hash", hash_of(path)) if name == "hidden" else ()
        become(cas, "ann")
        refused("one of two hands a volume over", cella("session", "volume", name, "data", SCRATCH / "v"), ["wants 2 of"])
        by_cem = sign(cas, "cem", *said, "--sign", name, "data", SCRATCH / "v", verb="volume")
        wrong = sign(cas, "cem", name, "--for", "delete", "--hash", hash_of(path))
        become(cas, "ann")
        if name == "hidden":
            refused("without the hash of what may not be read", cella("session", "volume", "--sign", name, "data", SCRATCH / "v"), ["--hash"])
        refused("by a signature for deleting", cella("session", "volume", name, "data", SCRATCH / "v", "--signature", wrong), ["does not hold"])
        good("a later commit", cella("volume", "import", "-q", SCRATCH / "w", SCRATCH / "files", f"/{name}"))
        refused("by one for another root", cella("session", "volume", name, "data", SCRATCH / "w", "--signature", by_cem), ["does not hold"])
        by_other = sign(cas, "cem", "--hash", "ab" * 48, "--sign", name, "data", SCRATCH / "v", verb="volume")
        become(cas, "ann")
        refused("by one for another state of the session", cella("session", "volume", name, "data", SCRATCH / "v", "--signature", by_other), ["does not hold"])
        refused("one of two takes its lease over", cella("session", "volume", name, "data", "--take-over"), ["wants 2 of"])
        consent = sign(cas, "cem", name, "--for", "take-over", "--hash", hash_of(path))
        become(cas, "ann")
        good("two hand it over", cella("session", "volume", name, "data", SCRATCH / "v", "--signature", by_cem))
        good("and take its lease over", cella("session", "volume", name, "data", "--take-over", "--signature", consent))

    # uploading a secret
    path = text("secret", name="ward/joint")
    path.write_text(path.read_text(encoding="ascii").replace("services:", "secrets:\n  - {name: key, kind: binary, upload: true}\nservices:"), encoding="ascii")
    good("create", put(cas, "ann", path))
    now, first, next_one = hash_of(path), SCRATCH / "first.key", SCRATCH / "next.key"
    first.write_bytes(b"the first")
    next_one.write_bytes(b"the next")

    def upload(file, *signatures):
        become(cas, "ann")
        return cella("session", "upload", "ward/joint/key", file, *(word for one in signatures for word in ("--signature", one)))

    refused("one of two uploads", upload(first), ["wants 2 of"])
    by_cem = sign(cas, "cem", "--sign", "ward/joint/key", first, verb="upload")
    refused("by a signature under other bytes", upload(next_one, by_cem), ["does not hold"])
    refused("by one under another state of the session", upload(first, sign(cas, "cem", "--sign", "--hash", "ab" * 48, "ward/joint/key", first, verb="upload")),
            ["does not hold"])
    refused("by one for deleting", upload(first, sign(cas, "cem", "ward/joint", "--for", "delete", "--hash", now)), ["does not hold"])
    good("two upload", upload(first, by_cem))
    good("and the next", upload(next_one, sign(cas, "cem", "--sign", "ward/joint/key", next_one, verb="upload")))
    for after, what in ((1, "which was replaced"), (3, "which there will be")):
        by_cem_after = sign(cas, "cem", "--sign", "--hash", now, "--after", str(after), "ward/joint/key", first, verb="upload")
        refused(f"by one for a version {what}", upload(first, by_cem_after), ["does not hold"])
    refused("one brings the first back by the other's old signature", upload(first, by_cem), ["does not hold"])

    good("two bring it back", upload(first, sign(cas, "cem", "--sign", "--hash", now, "--after", "2", "ward/joint/key", first, verb="upload")))

    # too many, and another CAS
    fourth = text("four")
    good("create", put(cas, "ann", fourth))
    fifth = text("five", hash_of(fourth))
    refused("too many", put(cas, "ann", fifth, *[sign(cas, "cem", fifth)] * 17), ["more than 16 signatures"])
    with Cas("other") as elsewhere:
        become(elsewhere, "owner")
        theirs = sign(elsewhere, "owner", fifth)
        elsewhere_by_cem = sign(elsewhere, "cem", fifth)
        check(theirs.read_text(encoding="ascii") != elsewhere_by_cem.read_text(encoding="ascii"), "two sign for another CAS")
        refused("a signature for another CAS", put(cas, "ann", fifth, elsewhere_by_cem), ["does not hold"])
    good("the same for this one", put(cas, "ann", fifth, sign(cas, "cem", fifth)))
    check(cas.stop() == 0, "the CAS ends in order")
    denied = [what["denied"] for kind, _, what in cas.log() if kind == DENIED]
    check(any("wants 2 of 3 keys" in one for one in denied) and any("does not hold" in one for one in denied),
          "what was denied is in the log, with its reason")
finish()
