#!/usr/bin/env python3
# as: root user memlock
"""Does Cella work for root, for an ordinary user and with little locked memory, and does it say what is
missing? The job's record and cella doctor name the measures that stand around executors and those that do
not; a program that needs more protected memory than the limit allows is told so."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, SOURCE, build_cell, check, finish, needs_secret, run

MEASURES = {"own-uid", "user-namespace", "mount-namespace", "pid-namespace", "net-namespace", "ipc-namespace",
            "uts-namespace", "cgroup", "no-inherited-filter", "no-new-privs"}
LITTLE = 64 << 20
GREEDY = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	int sum = 0;
	for (size_t size = 1 << 20; size <= 1u << 30; size *= 2) {
		char *bytes = malloc(size);
		if (!bytes) {
			printf("no more than %zu MiB\\n", size >> 21);
			return 3;
		}
		memset(bytes, (int)size >> 20, size);
		sum += ((volatile char *)bytes)[size / 3];
		free(bytes);
	}
	printf("enough\\n");
	return 0;
}
"""


def doctor():
    """Verdict by name: {"cgroup limits": ("no", whole text of the fact)}."""
    text = subprocess.run([CELLA, "doctor"], capture_output=True, text=True, check=False, timeout=300).stdout
    facts, name = {}, None
    for line in text.splitlines():
        if found := re.match(r"  (yes|no|part|-|some)\s+(\S.*?)\s{2,}(.*)", line):
            name = found[2]
            facts[name] = (found[1], found[3])
        elif name and line.startswith(" " * 8):
            facts[name] = (facts[name][0], facts[name][1] + "\n" + line.strip())
        else:
            name = None
    return facts


def check_record():
    record = SCRATCH / "record.json"
    hello = build_cell(SOURCE / "examples/hello/hello.c")
    job = run(["--record", record, hello])
    check(job.returncode == 0 and job.stdout, f"hello: status {job.returncode} {job.stdout!r}")
    check("memory secret" in job.stderr and "machine soft" in job.stderr, f"both levels are printed: {job.stderr!r}")
    said = json.loads(record.read_text(encoding="utf-8"))
    check((said["memory"], said["machine"]) == ("secret", "soft"), "both levels are in the record")
    there, missing = set(said["isolation"].split()), set(said["isolation_missing"].split())
    check(there | missing == MEASURES and not there & missing, f"the record names what stands around executors, {sorted(there)}, "
          f"and what does not: {sorted(missing)}")
    return there


def check_doctor(there):
    facts = doctor()
    check(facts["secret"][0] == "yes", f"doctor says that secret memory works: {facts['secret']}")
    check((facts["namespaces"][0] == "yes") == ("pid-namespace" in there), f"doctor and record agree on namespaces: {facts['namespaces']}")
    check((facts["cgroup limits"][0] == "yes") == ("cgroup" in there), f"and on cgroups: {facts['cgroup limits']}")
    check(("own-uid" in there) == (os.geteuid() == 0), "only root can give executors a user of their own")
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if os.geteuid() != 0 and limit in range(LITTLE):
        text = facts["locked memory"][1]
        check(str(limit >> 20) in text and "remedy" in text, f"doctor says how to raise the limit of locked memory: {text!r}")


def check_limit():
    """A program learns that there is no more; Cella itself does not fail."""
    source = SCRATCH / "greedy.c"
    source.write_text(GREEDY, encoding="ascii")
    cell = build_cell(source)
    job = run(["-q", "--heap", "3G", cell], timeout=300)
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if os.geteuid() != 0 and limit in range(LITTLE):
        check(job.returncode == 3 and "no more than" in job.stdout, f"with {limit >> 20} MiB of locked memory: {job.stdout!r} {job.stderr!r}")
    job = run(["-q", "--heap", "16M", cell], timeout=300)
    check(job.returncode == 3 and "no more than" in job.stdout, f"with a heap of 16 MiB: {job.stdout!r} {job.stderr!r}")


def main():
    needs_secret()
    check_doctor(check_record())
    check_limit()
    finish()


main()
