#!/usr/bin/env python3
# as: root
"""Can owners say whom a CAS knows and trusts, and can its operator keep it: a backup, its restore with consent, new
keys, each of which says what it did, and is refused by name where something is not as it must be?"""

import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import mounts
from castest import MEMORY, Cas, cella, good, refused, use
from celljob import SCRATCH, USAGE, check, finish, needs_secret, skip_part

needs_secret()
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
IDENTITY, BUILDER = "ab" * 48, "cd" * 32
SESSION = 'name: {name}\nversion: "0.1"\n{more}services:\n  - name: s\n    attestation:\n      - cell: ' + IDENTITY + "\naccess_policy:\n"


def put(name, more="", access="  read: ANY\n  update: CREATOR\n"):
    path = SCRATCH / "session.yml"
    path.write_text(SESSION.format(name=name, more=more) + access, encoding="ascii")
    return cella("session", "create", "--json", path)


def stopped(task, *words, directory=None, key=None):
    return cella("cas", task, *words, "--dir", directory or SCRATCH / "cas", "--key-file", key or SCRATCH / "cas.key")


(SCRATCH / "p.c").write_text("int main(void) { return 0; }\n", encoding="ascii")
good("cc", cella("cc", SCRATCH / "p.c", "-o", SCRATCH / "p.cell"))
cell = json.loads(good("inspect", cella("inspect", "--json", SCRATCH / "p.cell")))["identity"]


def start(*words, text=""):
    return cella("cas", "--dir", SCRATCH / "odd", "--listen", "127.0.0.1:0", *words, text=text)


# mistakes of who starts one, which leave nothing behind
word = SCRATCH / "word"
word.write_text("a passphrase of many words", encoding="ascii")
word.chmod(0o644)
refused("a passphrase that others may read", start("--passphrase-file", word), ["chmod 600"])
word.chmod(0o600)
refused("both a passphrase and a key file", start("--passphrase-file", word, "--key-file", SCRATCH / "odd.key"), ["one of both"], USAGE)
for rate in ("0", "1000001", "18446744073709551615"):
    refused(f"{rate} requests a second", start("--rate", rate), ["--rate takes"], USAGE)
refused("an epoch beyond all", stopped("restore", word, "--owner-consents", "--epoch", "16777216", directory=SCRATCH / "odd"), ["--epoch takes"], USAGE)
(SCRATCH / "odd").write_text("no directory", encoding="ascii")
refused("a first start where a file is in the way", start(), ["odd"])
check(not (SCRATCH / "odd.key").exists() and not (SCRATCH / "odd.owner.pem").exists(), "leaves neither a key nor a credential behind")
(SCRATCH / "odd").unlink()
with Cas("odd", "--passphrase-file", word) as cas:
    check(not (SCRATCH / "odd.key").exists() and cas.stop() == 0, "a private passphrase is taken, and no key file is made")



def full_disk():
    """On a disk that is full, and then is not: nothing is half done, and it is said what is the matter."""
    small = SCRATCH / "small"
    small.mkdir()
    try:
        mounts.leave()
        mounts.tmpfs(small, "1m")
    except OSError as error:
        skip_part("small-file-systems", error)
        return
    with Cas("small/cas") as cas:
        use(cas)
        (small / "fill").write_bytes(bytes(1 << 10))
        try:
            with open(small / "fill", "ab", buffering=0) as fill:
                while fill.write(bytes(4096)):
                    pass
        except OSError:
            pass
        refused("a session", put("filled"), ["507", "the disk of the CAS is full, and nothing was changed"])
        refused("a revocation", cella("cas", "revoke", "builder", BUILDER), ["the disk of the CAS is full"])
        check(good("none is there", cella("session", "list")) == "", "and nothing was")
        (small / "fill").unlink()
        good("when there is room again", put("filled"))


full_disk()
with Cas() as cas:
    use(cas)
    here = ("cas", "attest", f"https://127.0.0.1:{cas.port}", "--pin", cas.pin, "--name", "here")
    check(str(cas.owner) in good("attest again", cella(*here)), "attest again keeps the credential, and says so")
    check("  from its beginning    the first owner" in good("owners", cella("cas", "owners")), "which is shown: no time that nobody knows")
    refused("a first start on a port that is taken", cella("cas", "--dir", SCRATCH / "late", "--listen", f"127.0.0.1:{cas.port}", *MEMORY),
            [str(cas.port), "in use", f"its owner's credential is {SCRATCH / 'late.owner.pem'}"])
    check((SCRATCH / "late.owner.pem").exists(), "which is there")
    # owners
    second = good("a credential", cella("cas", "credential", SCRATCH / "second.pem")).strip()
    check(len(second) == 64 and (SCRATCH / "second.pem").stat().st_mode & 0o777 == 0o600, "its hash is printed, its file is private")
    refused("the same file again", cella("cas", "credential", SCRATCH / "second.pem"), ["second.pem"])
    use(cas, SCRATCH / "second.pem")
    refused("nobody knows it yet", cella("cas", "owners"), [second, "no owner"])
    refused("nor may it create", put("second"), ["no owner"])
    use(cas)
    check(second in good("add", cella("cas", "add-owner", SCRATCH / "second.pem", "--label", "Bea")), "it is an owner, by its certificate")
    refused("twice", cella("cas", "add-owner", second), ["409"])
    refused("no key", cella("cas", "add-owner", "12"), ["64"], USAGE)
    listed = json.loads(good("owners", cella("cas", "owners", "--json")))
    check({one["label"] for one in listed} == {"the first owner", "Bea"}, f"both are listed: {listed}")
    use(cas, SCRATCH / "second.pem")
    good("she creates", put("second"))
    good("she enrols", cella("las", "enrol", "--label", "node 7"))
    check("node 7" in good("launchers", cella("las", "list")), "the launcher is listed")

    # revocations
    check(cell in good("revoke", cella("cas", "revoke", "cell", SCRATCH / "p.cell", "--reason", "reads past its input")), "by the cell's file")
    good("a builder", cella("cas", "revoke", "builder", BUILDER))
    refused("again", cella("cas", "revoke", "builder", BUILDER), ["409"])
    refused("another kind", cella("cas", "revoke", "cel", cell), ["cell, builder, las, owner, certificate or executor"], USAGE)
    refused("what is no cell's identity", cella("cas", "revoke", "cell", "12"), ["a cell's identity has 96 hexadecimal digits"], USAGE)
    refused("what is no launcher's key", cella("cas", "revoke", "las", cell), ["a launcher's key has 64 hexadecimal digits"], USAGE)
    refused("no owner's key", cella("cas", "remove-owner", "12"), ["a key has 64 hexadecimal digits"], USAGE)
    refused("a label that is long", cella("cas", "add-owner", "12" * 32, "--label", "x" * 256), ["a label has 255 bytes at most"], USAGE)
    refused("half a command", cella("cas", "revoke", "cell"), ["revoke wants 2 operands, not 1"], USAGE)
    refused("a misspelt one", cella("cas", "revok", "cell", cell), ["revoke"], USAGE)
    said = good("revocations", cella("cas", "revocations"))
    check(f"cell {cell}" in said and "reads past its input" in said and f"builder {BUILDER}" in said, f"both are listed: {said}")

    # what is explained, and what is mistaken
    good("nobody was refused yet", cella("session", "explain", "second/s"))
    refused("a session that is not there", cella("session", "explain", "secnd/s"), ["404", "no session secnd; did you mean second?"])
    refused("one that resembles none", cella("session", "explain", "xyzzy/s"), ["no session xyzzy\n"])
    refused("a service that is not there", cella("session", "explain", "second/t"), ["404", "the session second has no service t"])
    mistaken = SCRATCH / "mistaken.yml"
    mistaken.write_text("nam: s\nversion: 0.1\nsecrets: [{name: a, kind: ascii, value: s3cr3t, sise: 1}]\n", encoding="ascii")
    for words in (("create",), ("update",), ("sign",)):
        done = cella("session", *words, mistaken)
        refused(f"{words[0]} tells every mistake", done, ["mistaken.yml:1:1: a session has no field \"nam\"", "mistaken.yml:3:49: a secret has no field \"sise\""])
        check("s3cr3t" not in done.stderr, "and no secret")
    told = json.loads(cella("session", "create", "--json", mistaken).stdout)
    check((told["valid"], told["mistake_count"]) == (False, 3), f"also as JSON: {told}")
    for words in (("session", "read", "s"), ("session", "delete", "s"), ("cas", "ca"), ("cas", "revoke", "cell", IDENTITY), ("cas", "add-owner", IDENTITY),
                  ("las", "enrol"), ("las", "remove", IDENTITY)):
        refused(f"no JSON of {' '.join(words)}", cella(*words, "--json"), [f"--json is no option of {words[1]}"], USAGE)
    for words in (("session", "list", "--signature", word), ("session", "check", word, "--keep", "cas"), ("session", "explain", "s/s", "--hash", IDENTITY),
                  ("session", "create", word, "--for", "read"), ("cas", "list", "--pin", IDENTITY), ("cas", "owners", "--dir", SCRATCH), ("cas", "status", "--since", "2026-01-01"),
                  ("cas", "rotate", "--dir", SCRATCH, "--owner-consents"), ("cas", "add-owner", second, "--reason", "none"), ("cas", "backup", word, "--host", "h"),
                  ("las", "list", "--label", "node"), ("las", "show", "--session", "s/s")):
        refused(f"an option of another command: {words}", cella(*words), [f"is no option of {words[1]}"], USAGE)
    refused("one for a CAS that is to run", start("--owner-consents"), ["--owner-consents is no option of a CAS that is to run"], USAGE)
    refused("what is to be known of a CAS that is stopped", cella("cas", "audit", "--verify"), ["name its directory with --dir"], USAGE)
    refused("collateral of nothing", cella("cas", "collateral"), ["collateral wants 1 to "], USAGE)
    refused("a cell that is not there", cella("cas", "revoke", "cell", SCRATCH / "gone.cell"), ["gone.cell", "No such file"])
    refused("no key file of a volume", cella("session", "volume", "second", "v", SCRATCH / "gone"), ["gone.key", "--volume-key"])
    typed = cella("session", "create", "-", text=SESSION.format(name="typed", more="") + "  read: ANY\n  update: CREATOR\n")
    check("session typed" in good("from standard input", typed), "a session from standard input")

    # namespaces: whom a session lets create below it
    use(cas)
    good("a namespace", put("clinic", more="namespaces: [wards]\nsecrets:\n  - {name: word, kind: ascii, value: known to two}\n", access=f"  read: ANY\n  update: CREATOR\n  create: {second}\n"))
    good("the owner creates elsewhere", put("clinic/other"))
    refused("below it the first owner may not", put("clinic/wards/a"), ["create"])
    use(cas, SCRATCH / "second.pem")
    good("the key that it names may", put("clinic/wards/a"))
    use(cas)
    good("remove", cella("cas", "remove-owner", second))
    refused("twice", cella("cas", "remove-owner", second), ["404"])
    use(cas, SCRATCH / "second.pem")
    refused("she is no owner any more", put("third"), ["no owner"])
    good("but the namespace's session lets her still", put("clinic/wards/b"))
    use(cas)
    launcher = json.loads(good("launchers", cella("las", "list", "--json")))[0]["key"]
    good("the launcher goes", cella("las", "remove", launcher))
    check(good("launchers", cella("las", "list")) == "", "none is left")

    # the operator
    refused("a backup of one that runs", stopped("backup", SCRATCH / "backup"), ["another process"])
    check(cas.stop() == 0, "the CAS ends in order")
    check("cas.db" not in good("backup", stopped("backup", SCRATCH / "backup")), "a backup is made")
    refused("over one that is there", stopped("backup", SCRATCH / "backup"), ["backup"])
    kept = (SCRATCH / "backup").read_bytes()
    check(b"clinic" in kept and b"known to two" not in kept, "the search finds a session's name in it, and of its secret nothing")
    cas.start()
    use(cas)
    good("something after it", cella("cas", "revoke", "cell", "ef" * 48))
    check(cas.stop() == 0, "the CAS ends in order")
    refused("without consent", stopped("restore", SCRATCH / "backup", directory=SCRATCH / "cas"), ["--owner-consents"], USAGE)
    refused("over one that is there", stopped("restore", SCRATCH / "backup", "--owner-consents"), ["cas already: move it away first"])
    shutil.move(SCRATCH / "cas", SCRATCH / "lost")
    bent = bytearray((SCRATCH / "backup").read_bytes())
    bent[len(bent) // 2] ^= 1
    (SCRATCH / "bent").write_bytes(bent)
    refused("a backup that was changed", stopped("restore", SCRATCH / "bent", "--owner-consents"), ["bent"])
    check(not (SCRATCH / "cas").exists() or not any((SCRATCH / "cas").iterdir()), "and nothing is left of it")
    (SCRATCH / "other.key").write_text("cella cas key 1\nkey " + "11" * 32 + "\n", encoding="ascii")
    (SCRATCH / "other.key").chmod(0o600)
    refused("with another key file", stopped("restore", SCRATCH / "backup", "--owner-consents", key=SCRATCH / "other.key"), ["key"])
    check("epoch 2" in good("restore", stopped("restore", SCRATCH / "backup", "--owner-consents")), "with consent, in a new epoch")
    check("new master key" in good("rotate", stopped("rotate")), "new keys")
    said = good("the log", stopped("audit", "--verify"))
    check("1 restores" in said and "epoch 2" in said, f"the log holds, and says so: {said}")
    pin = cas.pin
    cas.start()
    check(cas.pin == pin, "it is the same CAS")
    use(cas)
    said = good("what it knows", cella("cas", "revocations"))
    check(cell in said and "efef" not in said, "what came after the backup is forgotten, what was before is not")
    check(json.loads(good("sessions", cella("session", "list", "--json"))), "sessions are there")
    check(cas.stop() == 0, "the CAS ends in order")
finish()
