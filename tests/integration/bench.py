#!/usr/bin/env python3
# as: root user
"""Does cella bench find mistakes before it measures, compare results, turn a case that fails into a row and go on,
write its files whatever failed, run cells that someone else built, and end soon when it is told to?"""

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, SOURCE, USAGE, check, finish, has_secret, process_table, wait_until

TMP = SCRATCH / "tmp"
ROWS, CHART = SCRATCH / "rows.json", SCRATCH / "chart.svg"


def bench(*arguments, **env):
    return subprocess.run([CELLA, "bench", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=240,
                          stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(TMP), **env})


def test_mistakes():
    for arguments, says in ((["kernels", "nonsense"], "there is no benchmark nonsense"), (["kernels", "--runs", 0], "--runs 0"),
                            (["kernels", "--runs", 1000], "--runs 1000"), (["kernels", "--json", "/gone/x"], "/gone/x"),
                            (["kernels", "--svg", SCRATCH], "it is a directory"), ([], "it wants kernels|programs|start|tasks|paged|volumes|cas|evidence|ecg|all")):
        done = bench(*arguments)
        check(done.returncode == USAGE and says in done.stderr and not done.stdout,
              f"{' '.join(map(str, arguments))}: status {done.returncode} {done.stderr.splitlines()[:1]}")


def test_failures():
    """Nothing can be compiled, and the recordings that are named are not there."""
    done = bench("kernels", "tasks", "ecg", "--json", ROWS, "--svg", CHART, CELLA_CLANG="/gone/clang", CELLA_ECG_DATA="/gone/data")
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    check(done.returncode == 1, f"cases fail: status {done.returncode}")
    check([row["bench"] for row in rows] == ["kernels", "tasks", "ecg"], f"each is a row: {[row['bench'] for row in rows]}")
    check("/gone/clang" in rows[0]["reason"] and "/gone/data" in rows[2]["reason"], f"with its reason: {rows[2]['reason']!r}")
    check("value" not in rows[0], "and without a value")
    ET.parse(CHART)


def test_evidence():
    """Recorded evidence that is not there is a row with the reason; what is there is verified and counted."""
    done = bench("evidence", "--runs", 1, "--quick", "--json", ROWS, CELLA_EVIDENCE_DATA="/gone/data")
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    check(done.returncode == 1 and rows and all("/gone/data" in row["reason"] for row in rows), f"evidence that is gone: {rows}")
    done = bench("evidence", "--runs", 1, "--quick", "--json", ROWS)
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    if not (SOURCE / "../shared/data/attestation").is_dir():
        check(done.returncode == 0 and all("no recorded evidence" in row["reason"] for row in rows), f"no evidence: {rows}")
        return
    check(done.returncode == 0 and all(row["value"] > 0 for row in rows), f"evidence: {done.stdout}{done.stderr}")
    check(len(rows) % 3 == 0 and all(rows[i + 2]["unit"] == "" for i in range(0, len(rows), 3)), f"{len(rows)} rows of evidence")


def test_ecg():
    """The cell that lies beside cella was built under another key than this test's."""
    done = bench("ecg", "--runs", 1, "--json", ROWS, "--svg", CHART)
    said = json.loads(ROWS.read_text(encoding="utf-8"))
    rows = said["rows"]
    secret = has_secret()[0]
    # A volume's cache takes of what an ordinary user may lock: its cells may have too little left.
    cramped = [row["reason"] for row in rows if row["case"] == "sealed recordings and forest"] if os.geteuid() else []
    alone = [row["reason"] for row in rows if row["case"] == "a session's keys"] if os.geteuid() else []
    check(all("not enough memory" in reason for reason in cramped), f"of the volume: {cramped or 'measured'}")
    check(all("the CAS did not start" in reason for reason in alone), f"of the session: {alone or 'measured'}")
    check(done.returncode == (1 if cramped or alone else 0), f"ecg: status {done.returncode} {done.stdout[-300:] if done.returncode else ''}{done.stderr}")
    sealed = len(alone) + (len(cramped) or 3 * (3 if alone else 5))
    check(len(rows) == (12 * 11 + sealed if secret else 12 * 4 + 1), f"ecg: {len(rows)} rows")
    ratios = [row for row in rows if row["metric"] == "first, protected/unprotected"]
    check(len(ratios) == (12 if secret else 0) and all(row["value"] > 0 for row in ratios), f"{len(ratios)} ratios of first requests")
    check(all(row["n"] == 1 and row["low"] is None for row in rows if "value" in row), "one sample has no interval")
    check("recording" in said["ecg_data"] and said["ecg_data"] in done.stdout, f"it says of what: {said['ecg_data']}")
    for words in ("first, published*", "next, published*", "prot/native", "prot/unprot", "on other hardware"):
        check(words in done.stdout, f"the tables have: {words}")
    texts = [text.text for text in ET.parse(CHART).getroot().iter() if text.tag.endswith("}text")]
    check("ecg, ms (logarithmic)" in texts, "microseconds and seconds are drawn to a logarithmic scale")


def kernel_rows(**env):
    done = bench("kernels", "--quick", "--runs", 1, "--json", ROWS, "--svg", CHART, **env)
    return done, json.loads(ROWS.read_text(encoding="utf-8"))["rows"]


def test_kernels():
    """Does every kernel give the same bits as a cell and natively, and is a difference found?"""
    done, rows = kernel_rows()
    check(done.returncode == 0, f"kernels: status {done.returncode} {done.stdout[-300:] if done.returncode else ''}{done.stderr}")
    cases = {row["case"] for row in rows if row["metric"] == "cell/gcc"}
    check(len([case for case in cases if case != "geometric mean" and not case.startswith("worst: ")]) == 30, f"kernels: {sorted(cases)}")
    check(len(rows) == 30 * 7 + 8 and all(row["value"] > 0 for row in rows), f"kernels: {len(rows)} rows")
    clang = SCRATCH / "clang"
    clang.write_text('#!/bin/sh\ncase $1 in -print*) exec clang-19 "$@" ;; esac\nexec clang-19 "$@" -ffast-math -w\n', encoding="utf-8")
    clang.chmod(0o755)
    done, rows = kernel_rows(CELLA_CLANG=str(clang))
    wrong = [row["case"] for row in rows if "gives another result as a cell" in row.get("reason", "")]
    check(done.returncode == 1 and "gemm" in wrong and "floyd-warshall" not in wrong, f"a cell that rounds otherwise: {wrong}")
    check("not all cases ran" in rows[-1].get("reason", ""), f"and no mean of the rest: {rows[-1]}")


def descendants(pid):
    table, found = process_table(), {pid}
    while more := {child for child, (parent, _, _) in table.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_paged():
    done = bench("paged", "--runs", 1, "--json", ROWS)
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    if has_secret()[0] and os.geteuid() == 0:
        check(done.returncode == 0 and len(rows) == 7, f"paged: status {done.returncode} {len(rows)} rows {done.stdout[-300:]}")
        check(all(row["value"] > 0 for row in rows), "each with a value")
    else:
        check(done.returncode in (0, 1) and len(rows) in (2, 7), f"paged: status {done.returncode} {len(rows)} rows {done.stdout[-300:]}")


def test_interrupts():
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([CELLA, "bench", "kernels", "--runs", "100"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(TMP)}) as running:
            seen = wait_until(lambda pid=running.pid: descendants(pid))
            wait_until(lambda: os.listdir(TMP))
            running.send_signal(number)
            running.communicate(timeout=120)
        check(running.returncode == -number, f"{number.name}: status {running.returncode}")
        check(wait_until(lambda: not any(pid in process_table() for pid in seen)), f"{number.name}: nothing is left running")
        check(not os.listdir(TMP), f"{number.name}: no file is left {os.listdir(TMP)}")


def main():
    TMP.mkdir()
    test_mistakes()
    test_failures()
    test_evidence()
    test_kernels()
    test_ecg()
    test_paged()
    test_interrupts()
    check(not os.listdir(TMP), f"no file is left {os.listdir(TMP)}")
    finish()


main()
