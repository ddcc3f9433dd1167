#!/usr/bin/env python3
# as: root
"""Do SQLite, zlib and Lua do the same as cells as natively, in `cella bench programs`?

The sources are Debian's (scripts/sources.txt). Without them it is skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "tests/lib"), str(SOURCE / "scripts")]
import fetch_source  # noqa: E402
from celljob import CELLA, SCRATCH, check, finish  # noqa: E402

CASES = ["sqlite-main", "sqlite-cte", "sqlite-fp", "sqlite-orm", "zlib-deflate", "zlib-inflate", "lua-binary-trees", "lua-fannkuch",
         "lua-n-body", "lua-words"]
ROWS = SCRATCH / "rows.json"


def main():
    try:
        for name in ("sqlite3", "zlib", "lua5.4"):
            fetch_source.fetch(name)
    except fetch_source.Problem as problem:
        print(f"skipped: programs: {str(problem).splitlines()[0]}")
        return
    done = subprocess.run([CELLA, "bench", "programs", "--quick", "--runs", "1", "--json", str(ROWS)], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, env=os.environ)
    check(done.returncode == 0, f"programs: status {done.returncode} {done.stdout[-500:] if done.returncode else ''}{done.stderr}")
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    found = [row["case"] for row in rows if row["metric"] == "cell/gcc -O2" and row.get("value", 0) > 0]
    check(found[:len(CASES)] == CASES, f"each gives the same bits and a time: {found}")


main()
finish()
