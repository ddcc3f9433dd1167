#!/usr/bin/env python3
# as: root user memlock
"""Does a program run with several times the memory that is in the clear at a time?

It gets the same results as in secret memory, its host calls and its tasks included, whether encrypted pages lie in
ordinary memory or in files. Root alters a page file, puts an old one back, cuts it, fills its disk: each ends the
program with a reason (left alone it goes on: so the test can fail), and the launcher starts others."""

import ctypes
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import FAILED, SCRATCH, TRAPPED, Job, build_cell, check, finish, needs_secret, run, skip_part

PAGES, DATA = SCRATCH / "pages", SCRATCH / "data"
PAGED = ["--memory", "paged", "--window", "1M"]
PAGE = 4096
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def check_working_set(cell):
    record = SCRATCH / "record.json"
    for where, words in (("ordinary memory", []), ("a file", ["--page-dir", PAGES])):
        job = run([*PAGED, *words, "--heap", "64M", "--record", record, cell, "sort", 4])
        check(job.returncode == 0 and job.stdout == "sorted 524288 numbers\n",
              f"4 MiB are sorted in a window of 1 MiB, pages in {where}: {job.returncode} {job.stdout!r} {job.stderr!r}")
        check("memory paged" in job.stderr and "a window of 1024 KiB" in job.stderr, f"that is printed: {job.stderr!r}")
        said = json.loads(record.read_text(encoding="utf-8"))
        check((said["memory"], said["window"], said["heap"]) == ("paged", 1 << 20, 64 << 20), "and stands in the record")
    check(not os.listdir(PAGES), "page files have no names")
    job = run(["-q", "--memory", "paged", "--heap", "64M", cell, "sort", 1])
    check(job.returncode == 0, f"without --window it takes what it may: {job.stderr!r}")


def check_calls(cell):
    given = os.urandom(2_500_000)
    for where, words in (("ordinary memory", []), ("a file", ["--page-dir", PAGES])):
        DATA.mkdir()
        job = run(["-q", *PAGED, *words, "--heap", "64M", "--dir", f"{DATA}:/data", cell, "calls", "/data"],
                  input=given, text=False)
        check(job.returncode == 0 and job.stderr == b"calls: 0 failures\n" and job.stdout == given,
              f"every host call, pages in {where}: {job.returncode} {job.stderr!r} {job.stdout[:200] if job.returncode else ''}")
        (DATA / "data").unlink()
        DATA.rmdir()


def check_tasks():
    for source in ("tasks_directions.c", "tasks_collections.c", "tasks_shared.c"):
        cell = build_cell(source)
        expected = run(["-q", "--executors", 2, cell])
        job = run(["-q", *PAGED, "--executors", 2, "--heap", "64M", cell])
        check(job.returncode == 0 and job.stdout == expected.stdout and expected.stdout,
              f"{source}: tasks give the same: {job.returncode} {job.stderr!r}")


def check_refusals(cell):
    for words, says in ((["--window", "100"], "--window"), (["--window", "128M", "--heap", "64M"], "--window"),
                        (["--page-dir", SCRATCH / "gone"], "cannot make a page file in")):
        job = run(["-q", "--memory", "paged", *words, cell, "sort", 1])
        check(job.returncode in (2, FAILED) and says in job.stderr, f"{words}: {job.returncode} {job.stderr!r}")
    job = run(["-q", "--window", "1M", cell, "sort", 1])
    check(job.returncode == 2 and "are for --memory paged" in job.stderr, f"a window of secret memory: {job.stderr!r}")
    job = run(["-q", *PAGED, "--heap", "8M", cell, "sort", 16])
    check(job.returncode == 1 and "no memory" in job.stdout, f"no more than the heap: {job.returncode} {job.stdout!r}")


class PageFile:
    """The page file of a job's only executor, opened by root."""

    def __init__(self, pid):
        self.fd = os.open(f"/proc/{pid}/fd/7", os.O_RDWR)
        self.size = os.fstat(self.fd).st_size

    def read(self):
        return os.pread(self.fd, self.size, 0)

    def write(self, content):
        for at in range(0, len(content), PAGE):
            if any(content[at:at + PAGE]):
                os.pwrite(self.fd, content[at:at + PAGE], at)


def leave_alone(_pages, _old):
    pass


def flip_bits(pages, _old):
    content = bytearray(pages.read())
    for at in range(7, len(content), PAGE):
        content[at] ^= 1 if any(content[at - 7:at + PAGE - 7]) else 0
    pages.write(content)


def put_back(pages, old):
    pages.write(old)


def cut(pages, _old):
    os.ftruncate(pages.fd, 0)


def turn(job, number):
    job.process.stdin.write(b"\n")
    job.process.stdin.flush()
    line = job.line()
    return line == b"turn %d, 0 failures\n" % number


def tamper(cell, how, says):
    with Job(["-q", *PAGED, "--page-dir", PAGES, "--heap", "64M", "--dir", f"{SCRATCH}:/data:ro", cell, "hold",
              "/data/secret", 8]) as job:
        check(job.line().startswith(b"parked"), f"{how.__name__}: the program is parked")
        pages = PageFile(*job.executors())
        old = pages.read()
        check(turn(job, 1) and turn(job, 2), f"{how.__name__}: it goes on before")
        check(pages.read() != old, f"{how.__name__}: pages were written meanwhile")
        how(pages, old)
        goes_on = turn(job, 3)
        _, log = job.end(input=None)
        os.close(pages.fd)
        if not says:
            check(goes_on and job.status == 0, f"a page file that is left alone changes nothing (control): {job.status} {log!r}")
        else:
            check(not goes_on and job.status == TRAPPED and says in log, f"{how.__name__}: {job.status} {log!r}")


def check_tampering(cell):
    if os.geteuid() != 0:
        skip_part("page-file-tampering", "only root may open an executor's descriptors")
        return
    (SCRATCH / "secret").write_bytes(b"what the pages hold " * 200)
    check_task_data()
    tamper(cell, leave_alone, None)
    for how in (flip_bits, put_back, cut):
        # Writing makes a file that was cut longer again, with zeros in it.
        tamper(cell, how, b"paged memory: " if how is cut else b"was altered outside, or is an old copy")


def check_task_data():
    """A task's input, as large as eight windows, is sealed by host code, which touches what was altered."""
    cell = build_cell("paged_task.c")
    for altered in (False, True):
        with Job([*PAGED, "--page-dir", PAGES, "--heap", "64M", cell, 8]) as job:
            check(job.line() == b"parked\n", "the program is parked")
            for pid in job.executors() if altered else []:
                pages = PageFile(pid)
                flip_bits(pages, None)
                os.close(pages.fd)
            output, log = job.end(input=b"\n")
        if altered:
            check(job.status not in (0, None) and not output and b"was altered outside, or is an old copy" in log,
                  f"a task's altered input: {job.status} {output!r} {log!r}")
        else:
            total = sum((i * 7 + 1) & 255 for i in range(256)) * (8 << 12)
            check(job.status == 0 and output == b"sum %d\n" % total, f"one that was left alone (control): {job.status} {output!r} {log!r}")


def check_full_disk(cell):
    small = SCRATCH / "small"
    small.mkdir()
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNS) != 0 or \
       libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) != 0 or \
       libc.mount(b"none", str(small).encode(), b"tmpfs", ctypes.c_ulong(0), b"size=1M") != 0:
        skip_part("small-file-systems", "no file system may be mounted here")
        return
    job = run(["-q", *PAGED, "--page-dir", small, "--heap", "64M", cell, "sort", 4])
    check(job.returncode == TRAPPED and "the page file cannot be written: No space left on device" in job.stderr,
          f"a page file on a full disk: {job.returncode} {job.stderr!r}")


def main():
    needs_secret()
    PAGES.mkdir()
    cell = build_cell("paged.c")
    check_working_set(cell)
    check_calls(cell)
    check_tasks()
    check_refusals(cell)
    check_tampering(cell)
    check_full_disk(cell)
    finish()


main()
