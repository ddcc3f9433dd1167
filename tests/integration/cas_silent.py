#!/usr/bin/env python3
# as: root
"""Does a job whose CAS takes questions and answers none (stopped, behind a dead link) go on with what needs no answer, end
at once when it is told to, and go on where it was when the CAS answers after all? Is what has come before the CAS is asked
handled once, though it was handled while that was waited for? Commits that need no answer, with `bounded`, go on up to the
bound; and a writer that was taken over is told no later."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import Cas, cella, good, use
from celljob import CELLA, SCRATCH, Job, check, finish, is_stopped, needs_secret, process_table, runs, wait_until

needs_secret()
os.environ.update(CELLA_CONTEXTS=str(SCRATCH / "contexts.json"), CELLA_LAS_KEY=str(SCRATCH / "las.key"))
HOST = SCRATCH / "host"
RENEW_S = 50  # JOB_RENEW_S
PROGRAM = r"""
#include <cella/task.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* Waits for a file of the owner's, then says so. */
CELLA_TASK(wait_for, CELLA_INOUT(int, turns, 1))
{
	puts("begun");
	fflush(stdout);
	while (access("/host/flag", R_OK) != 0)
		++*turns;
	puts("seen");
	fflush(stdout);
}
int main(void)
{
	char line[64];
	int turns = 0, fd = open("/data/a", O_WRONLY | O_CREAT | O_APPEND, 0600);
	wait_for(&turns);
	if (fd < 0 || !fgets(line, sizeof(line), stdin) || write(fd, line, strlen(line)) < 0 || fsync(fd) < 0 || close(fd) < 0)
		return perror("/data/a"), 1;
	puts("kept");
	return cella_wait_on(&turns) != 0;
}
"""
TOGETHER = r"""
#include <cella/task.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
CELLA_TASK(wait_for, CELLA_INOUT(int, turns, 1))
{
	puts("begun");
	fflush(stdout);
	while (access("/host/flag", R_OK) != 0)
		++*turns;
}
int main(void)
{
	int turns = 0, fd = open("/data/b", O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0)
		return perror("/data/b"), 1;
	wait_for(&turns);
	return cella_wait_on(&turns) != 0;
}
"""
# Commits whenever it is told how often; says how many, or why not.
COMMITS = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	int count, total = 0, fd = open("/data/b", O_WRONLY | O_CREAT | O_APPEND, 0600);
	while (fd >= 0 && scanf("%d", &count) == 1) {
		for (int i = 0; i < count && fd >= 0; i++, total++)
			if (write(fd, "x", 1) != 1 || fsync(fd) < 0)
				return printf("%d %s\n", total, strerror(errno)), 1;
		printf("%d\n", total);
		fflush(stdout);
	}
	return fd < 0;
}
"""
BOUND = 16
SESSION = """name: clinic
version: "0.1"
volumes:
  - {{name: data, path: /data, access: rw}}
  - {{name: ahead, path: /data, access: rw, update_policy: bounded {bound}}}
images:
  - {{name: strict, volumes: [data]}}
  - {{name: bounded, volumes: [ahead]}}
services:
  - name: work
    image_name: strict
    attestation:
      - cell: {cell}
      - cell: {together}
  - name: ahead
    image_name: bounded
    attestation:
      - cell: {commits}
access_policy:
  read: CREATOR
  update: CREATOR
"""


def unread(port):
    """Are there bytes that the server at that port has not read?"""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port and words[3] == "01" and int(words[4].split(":")[1], 16):
            return True
    return False


class Silent:
    """A job that has asked a CAS that does not answer, beside a task."""

    def __init__(self, cas):
        self.cas = cas
        (HOST / "flag").unlink(missing_ok=True)
        self.process = subprocess.Popen([CELLA, "run", "-q", "--executors", "1", "--session", "clinic/work", "--volume", f"{SCRATCH}/v:/data",
                                         "--dir", f"{HOST}:/host", SCRATCH / "p.cell"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(self.process.stdout.readline() == "begun\n", "its task runs")
        cas.process.send_signal(signal.SIGSTOP)
        self.process.stdin.write("text\n")
        self.process.stdin.close()
        self.process.stdin = None
        check(wait_until(lambda: unread(cas.port)), "the CAS is asked, and does not answer")

    def task_sees(self):
        (HOST / "flag").write_text("", encoding="ascii")
        return self.process.stdout.readline()

    def end(self):
        output, errors = self.process.communicate(timeout=120)
        return self.process.returncode, output, errors


class Ahead:
    """A job that commits ahead of its CAS."""

    def __init__(self):
        self.process = subprocess.Popen([CELLA, "run", "-q", "--session", "clinic/ahead", "--volume", f"{SCRATCH}/w:/data", SCRATCH / "c.cell"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def begin(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def commit(self, count):
        self.begin(count)
        return self.process.stdout.readline().strip()

    def has_said(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def end(self):
        output, errors = self.process.communicate(timeout=120)
        return self.process.returncode, output, errors


def kept(cas):
    """The number of the last commit that the CAS has."""
    status, said = cas.ask("GET", "/v1/sessions/clinic/volumes/ahead", who=cas.owner)
    check(status == 200, f"what is kept: {status}")
    return int.from_bytes(bytes.fromhex(said["root"])[:8], "little")


def is_free(cas):
    """Has nobody the lease?"""
    return cas.ask("GET", "/v1/sessions/clinic/volumes/ahead", who=cas.owner)[1]["holder"] == ""


def build(name, program):
    (SCRATCH / f"{name}.c").write_text(program, encoding="ascii")
    good("cc", cella("cc", SCRATCH / f"{name}.c", "-o", SCRATCH / f"{name}.cell"))
    return json.loads(good("inspect", cella("inspect", "--json", SCRATCH / f"{name}.cell")))["identity"]


def waits(pid):
    return process_table()[pid][2] == "S"


def all_at_once():
    """The command line stands still until the leases are due, an executor has ended, and the agent has said so."""
    (HOST / "flag").unlink(missing_ok=True)
    with Job(["-q", "--executors", "1", "--session", "clinic/work", "--volume", f"{SCRATCH}/v:/data", "--dir", f"{HOST}:/host",
              SCRATCH / "q.cell"], text=True) as job:
        check(job.line() == "begun\n", "a task runs, and the program has asked its root keeper")
        due = time.monotonic() + RENEW_S
        before = job.executors()
        job.process.send_signal(signal.SIGSTOP)
        check(len(before) == 2 and wait_until(lambda: all(map(waits, before))), "both executors wait, one for its owner")
        lost = before[-1]
        os.kill(lost, signal.SIGKILL)
        check(wait_until(lambda: len(set(job.executors()) - {lost}) == 2), "one is lost, and replaced")
        (HOST / "flag").write_text("", encoding="ascii")
        check(wait_until(lambda: time.monotonic() > due, RENEW_S + 60), "the leases are due")
        job.process.send_signal(signal.SIGCONT)
        output, log = job.end()
        check(job.status == 0, f"all of it is handled: {job.status} {output!r} {log[-300:]}")
        check("not renewed" not in log, f"and the leases are renewed: {log[-300:]}")


HOST.mkdir()
identity, together, commits = build("p", PROGRAM), build("q", TOGETHER), build("c", COMMITS)
for name in ("v", "w"):
    good("volume", cella("volume", "create", "-q", SCRATCH / name))

with Cas() as cas:
    use(cas)
    good("enrol", cella("las", "enrol"))
    (SCRATCH / "session.yml").write_text(SESSION.format(cell=identity, together=together, commits=commits, bound=BOUND), encoding="ascii")
    good("session", cella("session", "create", SCRATCH / "session.yml"))
    good("hand over", cella("session", "volume", "clinic", "data", SCRATCH / "v"))
    good("hand over", cella("session", "volume", "clinic", "ahead", SCRATCH / "w"))

    all_at_once()

    job = Silent(cas)
    check(job.task_sees() == "seen\n", "meanwhile a task asks its owner for files, and prints")
    check(job.process.poll() is None and unread(cas.port), "while the CAS is still silent")
    cas.process.send_signal(signal.SIGCONT)
    status, output, errors = job.end()
    check(status == 0 and output == "kept\n", f"when it answers the job goes on: {status} {output!r} {errors}")

    job = Silent(cas)
    job.process.send_signal(signal.SIGINT)
    status, output, errors = job.end()
    check(status == -signal.SIGINT and "ended by SIGINT" in errors, f"a job that is told to end does, before the CAS answers: {status} {errors}")
    check("did not answer within" in errors and "--take-over" in errors, f"and says that its volume stays leased: {errors}")
    check(Path(f"/proc/{cas.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T", "which is silent still")
    cas.process.send_signal(signal.SIGCONT)
    good("the lease of it is taken over", cella("session", "volume", "clinic", "data", "--take-over"))

    job = Silent(cas)
    job.process.send_signal(signal.SIGSTOP)
    check(wait_until(lambda: is_stopped(job.process.pid)), "another stands still")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        job.process.send_signal(number)
    status, output, errors = job.end()
    check(status == -signal.SIGINT and "a signal came" in errors, f"it is told twice to end, and waits for nothing: {status} {errors}")
    cas.process.send_signal(signal.SIGCONT)
    good("its lease is taken over, too", cella("session", "volume", "clinic", "data", "--take-over"))

    # ahead of it
    before = kept(cas)
    job = Ahead()
    check(job.commit(100) == "100", "a hundred commits")
    check(100 - (kept(cas) - before) < BOUND, f"the CAS has nearly all: {kept(cas) - before}")
    for total in range(102, 122, 2):  # so many are asked about at once; the answers before have come, too
        check(job.commit(2) == str(total), "two more")
        check(wait_until(lambda: kept(cas) == before + total), "the CAS has them before it is needed")
    cas.process.send_signal(signal.SIGSTOP)
    check(job.commit(BOUND // 2) == "128", "commits go on while it is silent")
    check(wait_until(lambda: unread(cas.port)), "though it was asked")
    job.begin(BOUND)
    check(not wait_until(job.has_said, 2), "as far as the bound")
    cas.process.send_signal(signal.SIGCONT)
    check(job.process.stdout.readline() == "144\n", "and further when it answers")
    status, output, errors = job.end()
    check(status == 0 and kept(cas) == before + 144, f"at the end it has all: {status} {kept(cas)} {errors}")

    job = Ahead()
    check(job.commit(10) == "10", "another job commits")
    good("it is taken over", cella("session", "volume", "clinic", "ahead", "--take-over"))
    at = kept(cas)
    said = job.commit(100).split()
    check(len(said) > 1 and 10 <= int(said[0]) < 10 + BOUND, f"it is told within the bound: {said}")
    status, output, errors = job.end()
    check(status == 125 and kept(cas) == at, f"and nothing of it counts: {status} {errors}")

    def written():
        good("follow", cella("session", "volume", "clinic", "ahead", SCRATCH / "w"))
        return len(good("cat", cella("volume", "cat", SCRATCH / "w", "/b")))

    job = Ahead()  # what the one before committed before it was told stands in the log, ahead of the CAS
    check(job.commit(1) == "1" and job.end()[0] == 0, "the next job brings the CAS all there is")
    size, at = written(), kept(cas)
    job = Ahead()
    check(job.commit(10) == "10" and not is_free(cas), "one more commits, and has the lease")
    check(wait_until(lambda: kept(cas) == at + 10), "the CAS has it")
    job.process.send_signal(signal.SIGINT)
    check(job.end()[0] == -signal.SIGINT, "and is ended by Ctrl-C")
    check(wait_until(lambda: is_free(cas)), "which gives its lease back")
    job = Ahead()
    check(job.commit(1) == "1" and job.end()[0] == 0 and written() == size + 11, "the next starts at once, with all that counted")
    size, at = written(), kept(cas)
    job = Ahead()
    check(job.commit(10) == "10", "one more commits")
    check(wait_until(lambda: kept(cas) == at + 10), "the CAS has it")
    cas.kill()
    check(job.commit(BOUND // 4) == "14", "so does it while the CAS is gone")
    cas.start()
    check(job.commit(100) == "114", "and when it is there again")
    status, output, errors = job.end()
    check(status == 0 and written() == size + 114, f"at the end it has all: {status} {written() - size} {errors}")
    check(cas.stop() == 0, "the CAS ends in order")
finish()
