#!/usr/bin/env python3
# as: root
"""Do the right cells, and no others, get the keys of a session, and does its owner see why others did not?"""

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, REFUSED, SCRATCH, check, finish, needs_secret

needs_secret()

CAS = SCRATCH / "cas"
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
	char line[64] = "";
	FILE *f = fopen("/data/hello", "r");
	if (f)
		fgets(line, sizeof(line), f);
	printf("%s|%s|%s", count > 1 ? words[1] : "", getenv("TOKEN"), line);
	return VERSION;
}
"""
SESSION = """name: hospital
version: "0.1"
{predecessor}secrets:
  - name: token
    kind: ascii
    size: 32
volumes:
  - name: data
    path: /data
services:
  - name: classify
    command: ["$$CELLA::token$$"]
    environment:
      TOKEN: $$CELLA::token$$
    attestation:
      - cell: {cell}
        memory_level: secret
access_policy:
  read: CREATOR
  update: CREATOR
"""


def cella(*words, env=None):
    return subprocess.run([CELLA, *map(str, words)], capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})})


def good(what, done):
    check(done.returncode == 0, f"{what}: {done.returncode} {done.stderr.strip()[-300:]}")
    return done.stdout


def refused(what, done, words, status=1):
    check(done.returncode == status and all(word in done.stderr for word in words), f"{what}: {done.returncode} {done.stderr.strip()[-300:]}")


def start():
    server = subprocess.Popen([CELLA, "cas", "--dir", CAS, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().split()[-1]
    pin = server.stdout.readline().split()[-1]
    return server, f"https://127.0.0.1:{port}", pin


def stop(server):
    server.send_signal(signal.SIGTERM)
    check(server.wait(timeout=300) == 0, "the CAS ends in order")
    server.stdout.close()


def attest(url, pin):
    return cella("cas", "attest", url, "--pin", pin, "--credential", SCRATCH / "cas.owner.pem", "--name", "here")


def job(cell, *words, env=None):
    return cella("run", "-q", *words, "--session", "hospital/classify", "--volume", f"{SCRATCH}/v:/data", cell, env=env)


def reasons(service="classify"):
    return [refusal["reasons"] for refusal in json.loads(good("explain", cella("session", "explain", "--json", f"hospital/{service}")))]


def build(name, version):
    source = SCRATCH / f"{name}.c"
    source.write_text(PROGRAM.replace("VERSION", str(version)), encoding="ascii")
    good(f"cc {name}", cella("cc", source, "-o", SCRATCH / f"{name}.cell"))
    return SCRATCH / f"{name}.cell"


def put_session(cell, predecessor=""):
    identity = json.loads(good("inspect", cella("inspect", "--json", cell)))["identity"]
    (SCRATCH / "session.yml").write_text(SESSION.format(cell=identity, predecessor=predecessor), encoding="ascii")
    return cella("session", "create", "--json", SCRATCH / "session.yml")


right, other = build("right", 0), build("other", 1)
(SCRATCH / "files").mkdir()
(SCRATCH / "files/hello").write_text("sealed", encoding="ascii")
good("volume", cella("volume", "create", "-q", SCRATCH / "v"))
good("import", cella("volume", "import", "-q", SCRATCH / "v", SCRATCH / "files", "/"))
shutil.copy(SCRATCH / "v.root", SCRATCH / "old.root")

(SCRATCH / "cas.owner.pem").write_text("somebody's", encoding="ascii")
refused("a credential that would be written over", cella("cas", "--dir", CAS, "--listen", "127.0.0.1:0"), ["cas.owner.pem"])
check(not CAS.exists(), "and no CAS without an owner is made")
(SCRATCH / "cas.owner.pem").unlink()
server, url, pin = start()
refused("another CAS's pin", attest(url, "00" * 32), ["00000000", pin[:8]])
good("attest", attest(url, pin))
refused("a launcher without a key", job(right), ["cella las enrol"], 125)
good("enrol", cella("las", "enrol"))
first = json.loads(good("session", put_session(right)))["hash"]
refused("a volume that was not handed over", job(right), ["session explain"], REFUSED)
check("the volume data of the session was not handed to the CAS" in reasons()[0], "its owner sees that it was not")
good("volume", cella("session", "volume", "hospital", "data", SCRATCH / "v"))

said = good("the right cell", job(right)).split("|")
check(len(said) == 3 and len(said[0]) == 32 and said[0] == said[1] and said[2] == "sealed", "it has its secret, twice, and reads the volume")
kept = b"".join(path.read_bytes() for path in CAS.iterdir())
check(b"hospital" in kept, "the search finds the session's name in the CAS's directory, which is in the clear,")
check(not any(form in kept for form in (said[0].encode(), said[0].encode().hex().encode(), base64.b64encode(said[0].encode()))),
      "and the secret in no form")
check(good("again", job(right)) == "|".join(said), "and it is the same the next time")

refused("another cell", job(other), ["session explain"], REFUSED)
check("cell: wanted" in reasons()[0] and said[0] not in reasons()[0], "its owner sees which cell was wanted, and found")
refused("ordinary memory", job(right, "--insecure-memory-none"), ["session explain"], REFUSED)
check("memory_level: wanted at least secret, found insecure-none" in reasons()[0], "and which memory")
strange = {"CELLA_LAS_KEY": str(SCRATCH / "strange.key")}
good("a key of its own", cella("las", "enrol", "--key-only", env=strange))
refused("a launcher that is not enrolled", job(right, env=strange), ["session explain"], REFUSED)
check("las: wanted one that is enrolled" in reasons()[0], "and which launcher")
refused("no such service", cella("run", "-q", "--session", "hospital/other", right), ["session explain"], REFUSED)
check("service: wanted one of the session" in reasons("other")[0], "and that there is no such service")

refused("one that nobody asked for", cella("session", "explain", "hospital/clasify"), ["has no service clasify; did you mean classify?"])

refused("a session that is there", put_session(other), ["predecessor", first])
refused("a wrong predecessor", put_session(other, f"predecessor: {'ab' * 48}\n"), [f"{first[:16]}... now", f"predecessor {'ab' * 8}..."])
good("an update", put_session(other, f"predecessor: {first}\n"))
refused("the cell before", job(right), ["session explain"], REFUSED)
check("cell: wanted" in reasons()[0], "its owner sees that it is not wanted any more")
check(job(other).stdout == "|".join(said), "the new cell has what the old one had")

good("delete", cella("session", "delete", "hospital"))
refused("a session that is gone", job(other), ["session explain"], REFUSED)
good("the same name again", put_session(right))
good("its volume", cella("session", "volume", "hospital", "data", SCRATCH / "v"))
refused("the cell of the session that is gone", job(other), ["session explain"], REFUSED)
anew = good("the cell of this one", job(right)).split("|")
check(len(anew) == 3 and anew[0] != said[0] and anew[2] == "sealed", "it has a secret of its own, and the volume")
good("delete", cella("session", "delete", "hospital"))
good("and once more, for the other cell", put_session(other))
good("its volume", cella("session", "volume", "hospital", "data", SCRATCH / "v"))
refused("the cell of the session that is gone", job(right), ["session explain"], REFUSED)
check(job(other).stdout.endswith("|sealed"), "the cell of the one that is there is accepted")

(SCRATCH / "files/more").write_text("more", encoding="ascii")
good("import", cella("volume", "import", "-q", SCRATCH / "v", SCRATCH / "files", "/"))
good("a later root", cella("session", "volume", "hospital", "data", SCRATCH / "v"))
said = good("an older root file", cella("session", "volume", "--volume-root", SCRATCH / "old.root", "hospital", "data", SCRATCH / "v"))
check("a later commit" in said and job(other).stdout.endswith("|sealed"), "it takes nothing back: it gets the root of the CAS")

stop(server)
shutil.copytree(CAS, SCRATCH / "before")
server, url, pin = start()
good("attest", attest(url, pin))
good("more in the log", cella("session", "delete", "hospital"))
good("seen", cella("cas", "status"))
stop(server)
holds = cella("cas", "audit", "--dir", CAS, "--verify")
check(holds.returncode == 0 and "the audit log holds" in holds.stdout, f"the log holds: {holds.stdout}{holds.stderr}")
shutil.rmtree(CAS)
shutil.copytree(SCRATCH / "before", CAS)
context = json.loads((SCRATCH / "contexts.json").read_text(encoding="ascii"))
server, url, pin = start()
context["contexts"]["here"]["url"] = url
(SCRATCH / "contexts.json").write_text(json.dumps(context), encoding="ascii")
refused("an older CAS", cella("cas", "status"), ["older"])
refused("a job at an older CAS", job(other), ["older"], REFUSED)
stop(server)


def edit_database(statement):
    database = sqlite3.connect(CAS / "cas.db", isolation_level=None)
    database.create_function("flipped", 1, lambda body: body[:-1] + bytes([body[-1] ^ 1]))
    check(database.execute(statement).rowcount > 0, f"edited: {statement}")
    database.close()


# the unchanged one opens: see "a job at an older CAS"
for statement in ("UPDATE record SET body = flipped(body) WHERE kind = 1", "DELETE FROM record WHERE kind = 1",
                  "UPDATE log SET entry = flipped(entry) WHERE number = (SELECT max(number) FROM log)"):
    shutil.rmtree(CAS)
    shutil.copytree(SCRATCH / "before", CAS)
    unchanged = cella("cas", "audit", "--dir", CAS, "--verify")
    check(unchanged.returncode == 0, f"unchanged, it opens: {unchanged.stderr.strip()[-200:]}")
    edit_database(statement)
    refused("start on an edited database", cella("cas", "--dir", CAS, "--listen", "127.0.0.1:0"), ["cella-cas: error"])
finish()
