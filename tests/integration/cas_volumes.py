#!/usr/bin/env python3
# as: root
"""What a session gives beside secrets: files of an image, and volumes that its jobs write to, whose root the CAS
keeps. Commits of one job are there for the next and for the owner; of two writers the second is told; a job that is
ended by a signal, or whose executor is, gives its leases back and commits nothing for that; a cell that
was revoked, or that may only read, commits nothing; a CAS that is killed and started again disturbs no job."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import Cas, cella, good, refused, use
from celljob import CELLA, FAILED, REFUSED, SCRATCH, USAGE, Job, check, finish, needs_secret, wait_until

needs_secret()
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
VOLUME = SCRATCH / "v"
PROGRAM = r"""
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* read FILE; write FILE TEXT; hold: commit whenever a line comes in, and say so; of one that begins with a minus sign,
 * write it only; list DIRECTORY */
static int write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || (*text != '-' && fsync(fd) < 0) || close(fd) < 0)
		return perror(name), 1;
	return 0;
}
int main(int count, char **words)
{
	char line[4096];
	if (count > 2 && strcmp(words[1], "read") == 0) {
		FILE *f = fopen(words[2], "r");
		size_t size = f ? fread(line, 1, sizeof(line), f) : 0;
		if (!f)
			return printf("%s\n", strerror(errno)), 1;
		fwrite(line, 1, size, stdout);
		return 0;
	}
	if (count > 3 && strcmp(words[1], "write") == 0)
		return write_file(words[2], words[3]);
	if (count > 2 && strcmp(words[1], "list") == 0) {
		DIR *d = opendir(words[2]);
		for (struct dirent *e; d && (e = readdir(d));)
			puts(e->d_name);
		return !d;
	}
	if (count > 2 && strcmp(words[1], "hold") == 0) {
		int failed = 0;
		puts("ready");
		fflush(stdout);
		while (!failed && fgets(line, sizeof(line), stdin)) {
			failed = write_file(words[2], line);
			puts(failed ? "failed" : "kept");
			fflush(stdout);
		}
		return failed;
	}
	return 2;
}
"""
SESSION = """name: {name}
version: "0.1"
{predecessor}secrets:
  - {{name: token, kind: ascii, size: 32}}
  - {{name: bytes, kind: binary, size: 16}}
volumes:
  - name: data
    path: /data
{volume}images:
  - name: configured
    volumes: [data]
    injection_files:
      - path: /etc/app/token.conf
        content: "user=x\\ntoken=$$CELLA::token$$\\n"
      - path: /etc/app/key
        content: "$$CELLA::bytes:hex$$"
services:
  - name: work
    image_name: configured
    environment: {{TOKEN: $$CELLA::token$$}}
    attestation:
      - cell: {cell}
access_policy:
  read: CREATOR
  update: CREATOR
"""


SECOND = """name: {name}
version: "0.1"
services:
  - name: also
{lines}    attestation:
      - cell: {cell}
access_policy:
  read: CREATOR
  update: CREATOR
"""


PAIR = """name: pair
version: "0.1"
volumes:
  - {{name: one, path: /one, access: rw}}
  - {{name: two, path: /two, access: rw}}
images:
  - {{name: both, volumes: [one, two]}}
services:
  - name: work
    image_name: both
    attestation:
      - cell: {cell}
access_policy:
  read: CREATOR
  update: CREATOR
"""


def command(*words, session="clinic", at="/data"):
    return ["run", "-q", "--session", f"{session}/work", "--volume", f"{VOLUME}:{at}", SCRATCH / "p.cell", *words]


def job(*words, **options):
    return cella(*command(*words, **options))


class Holder:
    """A job that has the volume open for writing."""

    def __init__(self, name, words=None):
        self.process = subprocess.Popen([CELLA, *map(str, words or command("hold", f"/data/{name}"))], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "ready\n", "a job has the volume open")

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        output, errors = self.process.communicate(timeout=120)
        return self.process.returncode, output, errors

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=120)


def put(name="clinic", predecessor="", volume="    access: rw\n", done=good, cell=None):
    text = SESSION.format(name=name, predecessor=f"predecessor: {predecessor}\n" if predecessor else "", volume=volume, cell=cell or identity)
    (SCRATCH / "session.yml").write_text(text, encoding="ascii")
    return json.loads(done("session", cella("session", "create", "--json", SCRATCH / "session.yml")))["hash"]


(SCRATCH / "p.c").write_text(PROGRAM, encoding="ascii")
good("cc", cella("cc", SCRATCH / "p.c", "-o", SCRATCH / "p.cell"))
identity = json.loads(good("inspect", cella("inspect", "--json", SCRATCH / "p.cell")))["identity"]
good("volume", cella("volume", "create", "-q", VOLUME))

with Cas() as cas:
    use(cas)
    good("enrol", cella("las", "enrol"))
    first = put()
    good("hand over", cella("session", "volume", "clinic", "data", VOLUME))

    # files of the image
    said = good("an injected file", job("read", "/etc/app/token.conf"))
    check(said.startswith("user=x\ntoken=") and len(said) == len("user=x\ntoken=\n") + 32, f"it has the secret in its place: {said!r}")
    said = good("another", job("read", "/etc/app/key"))
    check(len(said) == 32 and set(said) <= set("0123456789abcdef"), f"in hexadecimal: {said!r}")
    check(sorted(good("the directory", job("list", "/etc/app")).split()) == ["key", "token.conf"], "both are in their directory")
    check(cella("run", "-q", SCRATCH / "p.cell", "read", "/etc/app/key").returncode == 1, "without the session there is no such file")

    # several sessions in one job: each gives its own, and changes nothing of another's
    def with_second(name, lines, words):
        (SCRATCH / "second.yml").write_text(SECOND.format(name=name, lines=lines, cell=identity), encoding="ascii")
        good("another session", cella("session", "create", SCRATCH / "second.yml"))
        return cella("run", "-q", "--session", f"{name}/also", "--session", "clinic/work", "--volume", f"{VOLUME}:/data", *words)
    said = with_second("second", '    environment: {OTHER: "1"}\n', [SCRATCH / "p.cell", "read", "/etc/app/token.conf"])
    check(good("two sessions", said).startswith("user=x"), "the cell has what the first one gives")
    said = with_second("stranger", '    environment: {TOKEN: "mine"}\n', [SCRATCH / "p.cell", "read", "/etc/app/key"])
    refused("a stranger's that sets a variable of the first", said, ["two of the job's sessions set the variable TOKEN"], REFUSED)
    said = with_second("third", "", ["--dir", f"{SCRATCH}:/data/out", SCRATCH / "p.cell", "read", "/etc/app/key"])
    refused("a directory in the volume of a session", said, ["/data/out may not lie in", "/data"], REFUSED)

    # commits
    good("a job writes", job("write", "/data/a", "one"))
    check(good("read", job("read", "/data/a")) == "one", "the next one reads it")
    good("write", job("write", "/data/a", ", two"))
    check(good("read", job("read", "/data/a")) == "one, two", "and what came then")
    (SCRATCH / "mine").write_text("mine", encoding="ascii")
    refused("the owner, who has not followed yet, writes", cella("volume", "import", "-q", VOLUME, SCRATCH / "mine", "/"), ["cella session volume tells it"])
    said = good("follow", cella("session", "volume", "clinic", "data", VOLUME))
    check("a later commit, as a job wrote" in said, f"the owner's root file follows: {said!r}")
    check(good("cat", cella("volume", "cat", VOLUME, "/a")) == "one, two", "the owner reads what the jobs wrote")
    good("the owner writes", cella("volume", "import", "-q", VOLUME, SCRATCH / "mine", "/"))
    good("hand over", cella("session", "volume", "clinic", "data", VOLUME))
    check(good("read", job("read", "/data/mine")) == "mine", "and jobs read what the owner wrote")

    # the owner writes while a job does
    one = Holder("held")
    check(one.write("zeroth") == "kept", "a job commits")
    good("its owner writes, too", cella("volume", "import", "-q", VOLUME, SCRATCH / "mine", "/fork"))
    one.end()
    for _ in range(3):
        good("and again", cella("volume", "import", "-q", VOLUME, SCRATCH / "mine", "/fork"))
    refused("neither is lost in silence", cella("session", "volume", "clinic", "data", VOLUME),
            ["do not come from each other", "--keep cas", "--keep mine"], 1)
    good("its owner decides", cella("session", "volume", "--keep", "cas", "clinic", "data", VOLUME))
    check(good("the job's", job("read", "/data/held")) == "zeroth\n", "the job's commits count")
    check(cella("volume", "cat", VOLUME, "/fork/mine").returncode == 1, "the owner's do not")
    refused("a third way", cella("session", "volume", "--keep", "both", "clinic", "data", VOLUME), ["mine or cas"], USAGE)

    # two writers; the CAS between
    one = Holder("held")
    check(one.write("first") == "kept", "it commits")
    refused("a second writer", job("write", "/data/b", "x"), ["clinic/work ", "writes to the volume"], REFUSED)
    said = good("who", cella("session", "volume", "--json", "clinic", "data", VOLUME))
    check(json.loads(said)["holder"].startswith("clinic/work "), "its owner sees who")
    cas.kill()
    cas.start()
    check(one.write("second") == "kept", "a CAS that was killed and started again keeps its next commit")
    status, output, errors = one.end()
    check(status == 0, f"and its end: {status} {output} {errors}")
    check(good("read", job("read", "/data/held")) == "zeroth\nfirst\nsecond\n", "all of it is there")

    # a job that died, and one that is taken for dead
    one = Holder("dead")
    check(one.write("last") == "kept", "a job commits")
    one.kill()
    refused("its lease is held for it", job("write", "/data/b", "x"), ["writes to the volume"], REFUSED)
    nobody = good("a stranger's credential", cella("cas", "credential", SCRATCH / "nobody.pem")) and SCRATCH / "nobody.pem"
    use(cas, nobody)
    refused("a stranger takes it over", cella("session", "volume", "clinic", "data", "--take-over"), ["403"])
    use(cas)
    refused("that was the stranger's", job("write", "/data/b", "x"), ["writes to the volume"], REFUSED)
    refused("no such volume", cella("session", "volume", "clinic", "date", "--take-over"), ["404", "not handed over"])
    good("its owner takes it over", cella("session", "volume", "clinic", "data", "--take-over"))
    good("the next one writes at once", job("write", "/data/b", "x"))
    check(good("read", job("read", "/data/dead")) == "last\n", "what it had committed is there")
    one = Holder("slow")
    check(one.write("before") == "kept", "another job commits")
    said = good("it is taken over", cella("session", "volume", "clinic", "data", VOLUME, "--take-over"))
    check("a later commit, as a job wrote" in said, "and the owner's root file follows")
    check(one.write("after") == "failed", "it commits nothing more")
    good("another job writes meanwhile", job("write", "/data/b", "y"))
    one.end()
    check(good("read", job("read", "/data/slow")) == "before\n" and good("read", job("read", "/data/b")) == "xy", "whose commits count alone")

    # a job that is ended from outside
    def kept(session="clinic", volume="data"):
        """The root that the CAS has, and who has the lease."""
        said = cas.ask("GET", f"/v1/sessions/{session}/volumes/{volume}", who=cas.owner)[1]
        return said["root"], said["holder"]

    def given_back(what, root, session="clinic", volume="data"):
        """What a busy CAS has not answered in time it does all the same: of up to two questions it sees the connection closed too late."""
        wait_until(lambda: kept(session, volume)[1] == "")
        check(kept(session, volume) == (root, ""), f"{what}, and nothing is committed: {kept(session, volume)}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        one = Holder("ended")
        check(one.write(str(number)) == "kept" and one.write("-lost") == "kept", "a job commits, and writes more")
        root, holder = kept()
        check(holder.startswith("clinic/work "), f"it has the lease: {holder!r}")
        one.process.send_signal(number)
        status, output, errors = one.end()
        check(status == -number, f"signal {number} ends it: {status} {errors}")
        given_back("its lease is given back", root)
        good("it starts again at once", job("write", "/data/b", "z"))
    check(good("read", job("read", "/data/ended")) == "2\n15\n1\n", "what it had committed is there, and no more")
    with Job(command("hold", "/data/ended")[1:], text=True) as one:
        check(one.line() == "ready\n", "one more has the volume open")
        root, holder = kept()
        check(holder.startswith("clinic/work "), f"and the lease: {holder!r}")
        [executor] = one.executors()
        os.kill(executor, signal.SIGKILL)
        output, errors = one.end()
        check(one.status == FAILED and any(word in errors for word in ("killed by signal 9", "executor is gone")), f"its executor is killed: {one.status} {errors}")
        given_back("its lease is given back, too", root)
    (SCRATCH / "pair.yml").write_text(PAIR.format(cell=identity), encoding="ascii")
    good("a session with two volumes", cella("session", "create", SCRATCH / "pair.yml"))
    words = ["run", "-q", "--session", "pair/work"]
    for name in ("one", "two"):
        good("volume", cella("volume", "create", "-q", SCRATCH / name))
        good("hand over", cella("session", "volume", "pair", name, SCRATCH / name))
        words += ["--volume", f"{SCRATCH / name}:/{name}"]
    one = Holder("both", [*words, SCRATCH / "p.cell", "hold", "/two/x"])
    check(one.write("a line") == "kept", "a job has both")
    before = [kept("pair", name) for name in ("one", "two")]
    check(all(holder.startswith("pair/work ") for _, holder in before), f"its leases: {before}")
    one.process.send_signal(signal.SIGINT)
    check(one.end()[0] == -signal.SIGINT, "it is ended by Ctrl-C")
    for name, (root, _) in zip(("one", "two"), before):
        given_back(f"it has given {name} back", root, "pair", name)

    # an old copy
    shutil.copytree(VOLUME, SCRATCH / "old")
    good("one more", job("write", "/data/a", ", three"))
    shutil.move(VOLUME, SCRATCH / "new")
    shutil.copytree(SCRATCH / "old", VOLUME)
    refused("an old copy of the volume", job("read", "/data/a"), ["old copy"], REFUSED)
    shutil.rmtree(VOLUME)
    shutil.move(SCRATCH / "new", VOLUME)
    check(good("the new one", job("read", "/data/a")) == "one, two, three", "the new one is read")

    # what was allowed when a job began, and is not any more
    one = Holder("held")
    check(one.write("third") == "kept", "a job commits")
    second = put(predecessor=first, volume="")
    check(one.write("fourth") == "failed", "a session that lets it read only lets it commit no more")
    one.end()
    check("third\n" in good("read", job("read", "/data/held")) and "fourth" not in good("read", job("read", "/data/held")),
          "what was committed before is there")
    refused("to write", job("write", "/data/b", "x"), [], 1)
    put(predecessor=second)
    one = Holder("held")
    check(one.write("fifth") == "kept", "it writes again")
    status, answer = cas.ask("POST", "/v1/revocations", {"kind": "cell", "what": identity, "reason": "reads past its input"}, who=cas.owner)
    check(status == 204, f"the cell is revoked: {status} {answer}")
    check(one.write("sixth") == "failed", "a cell that was revoked commits no more")
    one.end()
    refused("nor is it granted anything", job("read", "/data/held"), ["session explain"], REFUSED)
    check("revoked" in cas.reasons("clinic", "work")[0], "its owner sees why")
    check(cas.stop() == 0, "the CAS ends in order")
    kinds = [what for kind, _, what in cas.log() if kind == 15]
    check(sum(1 for what in kinds if what.get("service") == "work") >= 6, "each commit is in the log, with its service")
    check(cas.audit().returncode == 0, "and the log holds")
finish()
