#!/usr/bin/env python3
# as: root
"""Does a service that its session lets a node keep start there while the CAS cannot be reached, until the lease ends, for
the same cell, launcher and machine alone; does the lease stay when the CAS is gone in the middle of a start; and does it
go at the first word of the CAS that it was revoked? What has a service with an identity, which only the CAS can give?"""

import json
import os
import shutil
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import Cas, cella, good, refused, use
from celljob import REFUSED, SCRATCH, check, finish, needs_secret, wait_until

needs_secret()
LEASES = SCRATCH / "leases"
os.environ.update(CELLA_CONTEXTS=str(SCRATCH / "contexts.json"), CELLA_LAS_KEY=str(SCRATCH / "las.key"), CELLA_LEASES=str(LEASES))
FAILED = 125
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words)
{
	char line[64] = "";
	FILE *f = fopen("/data/hello", "r");
	if (f)
		fgets(line, sizeof(line), f);
	char begin[16] = "nobody";
	FILE *g = fopen("/data/more", "w"), *certificate = fopen("/identity/cert.pem", "r");
	if (certificate)
		fgets(begin, sizeof(begin), certificate);
	printf("%s|%s|%s|%s|%s", count > 1 ? words[1] : "", getenv("TOKEN"), line, g ? "writable" : "read only", begin);
	return VERSION;
}
"""
SESSION = """name: edge
version: "0.1"
{predecessor}secrets:
  - {{name: token, kind: ascii, size: 32}}
volumes:
  - {{name: data, path: /data, access: rw}}
images:
  - {{name: with-data, volumes: [data]}}
  - {{name: empty}}
services:
{services}access_policy:
  read: CREATOR
  update: CREATOR
"""
SERVICE = """  - name: {name}
    image_name: {image}
    command: ["$$CELLA::token$$"]
    environment: {{TOKEN: $$CELLA::token$$}}
{more}    attestation:
      - cell: {cell}
        memory_level: secret
"""


def build(name, version):
    (SCRATCH / f"{name}.c").write_text(PROGRAM.replace("VERSION", str(version)), encoding="ascii")
    good(f"cc {name}", cella("cc", SCRATCH / f"{name}.c", "-o", SCRATCH / f"{name}.cell"))
    return json.loads(good("inspect", cella("inspect", "--json", SCRATCH / f"{name}.cell")))["identity"]


def put(predecessor="", kept="24h"):
    services = "".join(SERVICE.format(name=name, image=image, cell=right, more=(f"    offline: {offline}\n" if offline else "") + more)
                       for name, image, offline, more in (("kept", "empty", kept, ""), ("brief", "empty", "1s", ""), ("asking", "empty", "", ""),
                                                          ("data", "with-data", kept, ""), ("known", "empty", kept, "    identity: /identity\n")))
    (SCRATCH / "session.yml").write_text(SESSION.format(services=services, predecessor=f"predecessor: {predecessor}\n" if predecessor else ""), encoding="ascii")
    return json.loads(good("session", cella("session", "create", "--json", SCRATCH / "session.yml")))["hash"]


def job(service, *more, cell="right", env=None):
    volume = ("--volume", f"{SCRATCH}/v:/data") if service == "data" else ()
    return cella("run", "-q", *more, "--session", f"edge/{service}", *volume, SCRATCH / f"{cell}.cell", env=env)


def files():
    return sorted(LEASES.iterdir()) if LEASES.exists() else []


class Cut:
    """Between the node and its CAS; `after` that many large messages of the node nothing passes any more."""

    LARGE = 1000

    def __init__(self, port):
        self.port, self.after, self.pairs = port, None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            if self.after == 0:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.port))
            self.pairs.append((near, far))
            threading.Thread(target=self.pass_on, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far, near, False), daemon=True).start()

    def pass_on(self, source, to, counted):
        try:
            while data := source.recv(65536):
                if counted and self.after is not None and len(data) > self.LARGE:
                    self.after -= 1
                    if self.after == 0:
                        break
                to.sendall(data)
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def kept_files():
    return {json.loads(path.read_text(encoding="ascii"))["service"] for path in files()}


right, other = build("right", 0), build("other", 1)
good("volume", cella("volume", "create", "-q", SCRATCH / "v"))
(SCRATCH / "files").mkdir()
(SCRATCH / "files/hello").write_text("sealed", encoding="ascii")
good("import", cella("volume", "import", "-q", SCRATCH / "v", SCRATCH / "files", "/"))

with Cas() as cas:
    use(cas)
    good("enrol", cella("las", "enrol"))
    first = put()
    good("hand over", cella("session", "volume", "edge", "data", SCRATCH / "v"))
    said = {service: good(f"{service}, with the CAS", job(service)) for service in ("kept", "brief", "asking", "data", "known")}
    token = said["kept"].split("|")[0]
    check(len(token) == 32 and all(text.split("|")[:2] == [token, token] for text in said.values()), "each has its secret")
    check(said["data"].endswith("|sealed|writable|nobody"), "and its volume, to write to")
    check(said["known"].endswith("|-----BEGIN CERT"), "and its certificate")
    check(kept_files() == {"kept", "brief", "data", "known"}, f"four of five are kept: {kept_files()}")
    check(all(path.stat().st_mode & 0o777 == 0o600 and token not in path.read_text(encoding="ascii") for path in files()),
          "in private files, in which the secret is not")

    # the CAS is gone in the middle of a start
    cut = Cut(cas.port)
    good("attest", cella("cas", "attest", cut.address, "--pin", cas.pin, "--name", "here", "--credential", cas.owner))
    good("through another address", job("kept"))
    cut.after = 1
    done = job("kept")
    check(done.returncode == FAILED and cut.after == 0, f"it is gone when it is asked for a grant: {done.returncode} {done.stderr.strip()}")
    check("kept" in kept_files(), "the lease stays")
    done = job("kept")
    check(good("which the next start has", done) == said["kept"] and "offline lease of edge/kept" in done.stderr, f"and uses: {done.stderr.strip()}")
    cut.after = 2
    done = job("kept")
    check(good("it is gone when it is asked for a lease", done) == said["kept"] and cut.after == 0, f"which ends no job: {done.stderr.strip()}")
    check("no newer offline lease of edge/kept" in done.stderr and "kept" in kept_files(), f"the lease of before stays: {done.stderr.strip()}")
    use(cas)
    check(cas.stop() == 0, "the CAS ends")

    # nobody answers
    done = job("kept")
    check(good("the kept service, without the CAS", done) == said["kept"], "it has what it had")
    check("offline lease of edge/kept, ends in 2" in done.stderr, f"and says what of: {done.stderr.strip()}")
    refused("one that is not to be kept", job("asking"), ["keeps no offline lease"], FAILED)
    refused("another service's cell", job("kept", cell="other"), ["cell: another than the one that it was given for"], REFUSED)
    refused("ordinary memory", job("kept", "--insecure-memory-none"), ["memory_level"], REFUSED)
    check(good("one with a volume", job("data")).endswith("|sealed|read only|nobody"), "which it may read")
    done = job("known")
    check(good("one with an identity", done) == said["kept"], f"which nobody can give it now: {done.stdout}")
    (SCRATCH / "own").mkdir()
    (SCRATCH / "own/cert.pem").write_text("forged", encoding="ascii")
    own = ("--dir", f"{SCRATCH}/own:/identity")
    check(good("a directory of the node's", job("kept", *own)).endswith("|forged"), "is there where the session has no identity")
    check(good("where it has", job("known", *own)) == said["kept"], "the node cannot give it one either")
    ended = wait_until(lambda: job("brief").returncode != 0 and job("brief"), 30)
    refused("one that was to be kept for a second", ended, ["offline lease has ended"], FAILED)

    # whoever has the file, and says that it lasts
    path = next(path for path in files() if json.loads(path.read_text(encoding="ascii"))["service"] == "brief")
    lease = json.loads(path.read_text(encoding="ascii"))
    path.write_text(json.dumps({**lease, "end": lease["end"] + 1000000}), encoding="ascii")
    refused("an end that was moved", job("brief"), ["the offline lease has ended, after 1 s"], REFUSED)
    sealed = next(json.loads(p.read_text(encoding="ascii"))["lease"] for p in files() if json.loads(p.read_text(encoding="ascii"))["service"] == "kept")
    bent = sealed[:400] + ("A" if sealed[400] != "A" else "B") + sealed[401:]
    path.write_text(json.dumps({**lease, "end": lease["end"] + 1000000, "lease": bent}), encoding="ascii")
    refused("one that was changed", job("brief"), ["another launcher's, or was changed"], REFUSED)
    for text in ("", "{", json.dumps({**lease, "lease": "??"}), json.dumps({**lease, "lease": "AA", "end": lease["end"] + 1000000})):
        path.write_text(text, encoding="ascii")
        done = job("brief")
        check(done.returncode in (FAILED, REFUSED) and done.stderr, f"a broken file is refused: {done.returncode} {done.stderr.strip()[-160:]}")
    path.unlink()

    # another node: its launcher has another key; the same launcher's key elsewhere is a machine that was started anew
    shutil.copytree(LEASES, SCRATCH / "copied")
    elsewhere = {"CELLA_LEASES": str(SCRATCH / "copied"), "CELLA_LAS_KEY": str(SCRATCH / "other.key")}
    good("a launcher of its own", cella("las", "enrol", "--key-only", env=elsewhere))
    refused("a copy on another node", job("kept", env=elsewhere), ["another launcher's, or was changed"], REFUSED)
    good("the copy where it comes from", job("kept", env={"CELLA_LEASES": str(SCRATCH / "copied")}))

    # a clock that somebody sets: without it, the same command starts the service
    words = ("run", "-q", "--session", "edge/kept", SCRATCH / "right.cell")
    good("in namespaces of its own", cella(*words, program=("unshare", "--fork", "--uts")))
    refused("in a time of its own", cella(*words, program=("unshare", "--fork", "--time", "--boottime", "100000000")), ["offline lease has ended"], FAILED)
    path = next(path for path in files() if json.loads(path.read_text(encoding="ascii"))["service"] == "kept")
    lease = path.read_text(encoding="ascii")
    path.write_text(json.dumps({**json.loads(lease), "end": 10 ** 12}), encoding="ascii")
    refused("though the file says otherwise", cella(*words, program=("unshare", "--fork", "--time", "--boottime", "100000000")),
            ["time namespace"], FAILED)
    path.write_text(lease, encoding="ascii")

    # the CAS is there again
    cas.start()
    good("a session that lets keep no more", job("kept"))
    check(kept_files() == {"kept", "data", "known"}, f"asked again, it is kept anew: {kept_files()}")
    put(predecessor=first, kept="")
    good("at the next contact", job("kept"))
    good("hand over", cella("session", "volume", "edge", "data", SCRATCH / "v"))
    good("at the next contact", job("data"))
    good("at the next contact", job("known"))
    check(files() == [], "nothing is kept that is not to be")
    second = json.loads(good("list", cella("session", "list", "--json")))[0]["hash"]
    put(predecessor=second)
    good("kept again", job("kept"))
    check(len(files()) == 1, "a lease")
    good("the cell is revoked", cella("cas", "revoke", "cell", SCRATCH / "right.cell"))
    shutil.copytree(LEASES, SCRATCH / "still")
    check(cas.stop() == 0, "before the node hears of it")
    good("it starts still, for that is what a lease is", job("kept"))
    cas.start()
    refused("at the next contact it does not", job("kept"), ["session explain"], REFUSED)
    check(files() == [], "and the lease is gone")
    check(cas.stop() == 0, "the CAS ends")
    refused("so without the CAS it does not either", job("kept"), ["keeps no offline lease"], FAILED)
    kept = [what.get("offline") for kind, _, what in cas.log() if kind == 12]
    check(sum(offline == 86400 for offline in kept) == 6 and kept.count(1) == 1, f"each lease is in the audit log: {kept}")
finish()
