#!/usr/bin/env python3
# as: root user
"""Do graph, trace and record say of a job what happened in it: its tasks and what they wait for, where and
when they ran, what was retried, who and what was verified?"""

import hashlib
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import BUILD, CELLA, SCRATCH, build_cell, check, finish, needs_secret, run

COUNT, STEPS = 12, 200000
DOT, SVG, TRACE, RECORD = (SCRATCH / name for name in ("graph.dot", "graph.svg", "trace.json", "record.json"))


def sha384(path):
    return hashlib.sha384(Path(path).read_bytes()).hexdigest()


def inspected(cell):
    shown = subprocess.run([CELLA, "inspect", "--json", cell], capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


def test_record(cell, record):
    facts = inspected(cell)
    check(record["status"] == 0 and record["error"] is None, f"status {record['status']}, {record['error']}")
    check(record["memory"] == "secret" and record["heap"] == 64 << 20, f"level {record['memory']}, heap {record['heap']}")
    best = next(a for a in facts["artifacts"] if a["runs_here"])
    check((record["cell"], record["builder"], record["target"]) == (facts["identity"], best["builder"], best["target"]),
          "the cell's identity, and the builder and target of its machine code")
    check((record["launcher"], record["executor"]) == (sha384(BUILD / "cella-las"), sha384(BUILD / "cella-cell")),
          "the digests of launcher and executor")
    check(record["kernel"] == os.uname().release, f"the kernel {record['kernel']}")
    kexec = Path("/proc/sys/kernel/kexec_load_disabled")
    disabled = not kexec.exists() or kexec.read_text(encoding="ascii").strip() == "1"
    check(("kexec-disabled" in record["host"]) == disabled, f"the host claims {record['host']}")
    check("no-new-privs" in record["isolation"], f"isolation: {record['isolation']}; not: {record['isolation_missing']}")


def test_agent(said):
    check(said["tasks"]["submitted"] == said["tasks"]["done"] == COUNT + 1, f"tasks: {said['tasks']}")
    runs = {f["name"]: (f["runs"], f["failures"]) for f in said["functions"]}
    check(runs == {"link_up": (COUNT, 0), "join": (1, 0)}, f"functions: {runs}")
    roles = sorted(e["role"] for e in said["executors"])
    check(roles in (["driver", "tasks", "tasks"], ["driver", "tasks"]), f"executors: {roles}")  # the second may be late
    attempts = sum(e["attempts"] for e in said["executors"])
    check(attempts == COUNT + 1, f"attempts: {attempts}")
    times = [(0 < e["launch_s"] <= e["start_s"] <= e["end_s"] <= said["tasks"]["time_s"]) for e in said["executors"]]
    check(all(times), "times are in order")
    check(all(0 < f["min_s"] <= f["max_s"] <= f["total_s"] for f in said["functions"]), "and so are those of functions")


def test_trace(trace, record):
    events = trace["traceEvents"]
    attempts = [e for e in events if e["ph"] == "X"]
    check(len(attempts) == COUNT + 1 and all(e["cat"] == "ok" and e["dur"] > 0 for e in attempts), f"{len(attempts)} attempts")
    threads = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    check(len(threads) >= 2 and {e["tid"] for e in attempts} <= threads.keys(), f"threads: {threads}")
    check(all(not threads[e["tid"]].startswith("driver") for e in attempts), "no task ran in the driver")
    join = next(e for e in attempts if e["name"] == "join")
    check(all(e["ts"] + e["dur"] <= join["ts"] for e in attempts if e is not join), "the last task waited for the others")
    flows = [sum(e["ph"] == phase for e in events) for phase in "sf"]
    check(flows == [COUNT, COUNT], f"arrows: {flows}")
    check(max(e["ts"] + e["dur"] for e in attempts) <= 1e6 * record["agent"]["tasks"]["time_s"], "within the job's time")


def test_graphs():
    text = DOT.read_text(encoding="utf-8")
    nodes = dict(re.findall(r'^\s*(t\d+) \[label="(\w+)', text, re.M))
    edges = re.findall(r"^\s*(t\d+) -> (t\d+)", text, re.M)
    check(sorted(nodes.values()) == ["join"] + ["link_up"] * COUNT, f"dot: {len(nodes)} nodes")
    check(len(set(edges)) == COUNT and {nodes[to] for _, to in edges} == {"join"}, f"dot: {len(edges)} edges, all to the last")
    svg = ET.parse(SVG).getroot()
    words = [t.text or "" for t in svg.iter() if t.tag.endswith("}text")]
    check(sum("link_up" in w for w in words) >= COUNT and any("join" in w for w in words), f"svg: {len(words)} words")


def test_retries():
    tried = SCRATCH / "tried"
    tried.mkdir()
    job = run(["-q", "--executors", 2, "--record", RECORD, "--trace", TRACE, "--graph", DOT, "--dir", f"{tried}:/tried",
               build_cell("tasks_failures.c"), "retry", "/tried"])
    check(job.returncode == 0, f"a task that succeeds on attempt 4: {job.returncode} {job.stderr}")
    said = json.loads(RECORD.read_text(encoding="utf-8"))["agent"]
    function = said["functions"][0]
    check(said["tasks"]["retried"] == 3 and (function["runs"], function["failures"]) == (1, 3), f"retries: {said['tasks']}")
    tries = [(e["args"]["attempt"], e["cat"]) for e in json.loads(TRACE.read_text(encoding="utf-8"))["traceEvents"]
             if e["ph"] == "X"]
    check(tries == [(1, "failed"), (2, "failed"), (3, "failed"), (4, "ok")], f"in the trace: {tries}")
    check("4 attempts" in DOT.read_text(encoding="utf-8"), "in the graph")


def main():
    needs_secret()
    cell = build_cell("chain.c")
    for graph in (DOT, SVG):
        job = run(["-q", "--executors", 2, "--heap", "64M", "--graph", graph, "--trace", TRACE, "--record", RECORD, cell, COUNT,
                   STEPS])
        check(job.returncode == 0, f"the job runs: {job.returncode} {job.stderr}")
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    test_record(cell, record)
    test_agent(record["agent"])
    test_trace(json.loads(TRACE.read_text(encoding="utf-8")), record)
    test_graphs()
    test_retries()
    finish()


main()
